package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.Head;
import dev.graft.models.weights.Weights;

/** ELECTRA (Clark et al., 2020): BERT whose embeddings may be smaller than its hidden states, without a pooler. */
public final class Electra extends BertFamily {
    /** Reads {@code model_type: electra}. */
    public Electra() {
        super("electra", "Electra", "electra.");
    }

    @Override
    BertEncoder.Config config(Fields f) {
        BertEncoder.Config read = BertEncoder.Config.read(f, f.integer("type_vocab_size", 2), 0, false);
        return read.withEmbedding(f.integer("embedding_size", 128));
    }

    @Override
    boolean pools(Task task) {
        return false;
    }

    @Override
    Head sequence(BertEncoder encoder, Fields f, Weights w, HeadSpec spec) {
        double dropout = dropout(encoder, f);
        return first(
                "classifier.dense",
                Activation.GELU,
                dropout,
                dropout,
                "classifier.out_proj",
                encoder.hiddenSize(),
                w,
                spec);
    }

    @Override
    Head choice(BertEncoder encoder, Fields f, Weights w, HeadSpec spec) {
        f.choice("summary_type", "first", "first");
        if (!f.bool("summary_use_proj", true)) {
            throw f.invalid("summary_use_proj", "true");
        }
        return first(
                "sequence_summary.summary",
                Activation.read(f, "summary_activation", "gelu"),
                0,
                f.number("summary_last_dropout", 0.1, 0, 1),
                "classifier",
                encoder.hiddenSize(),
                w,
                spec);
    }

    @Override
    Head masked(BertEncoder encoder, Fields f, Weights w) {
        return vocabulary(
                encoder.words(),
                "generator_predictions.dense",
                Activation.GELU,
                "generator_predictions.LayerNorm",
                encoder.config().eps(),
                "generator_lm_head",
                "generator_lm_head.bias",
                encoder.hiddenSize(),
                w);
    }
}
