package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Activation;
import dev.graft.models.Head;
import dev.graft.models.Task;
import dev.graft.models.Weights;

/** ELECTRA (Clark et al., 2020): BERT whose embeddings may be smaller than its hidden states, without a pooler. */
public final class Electra extends EncoderFamily {
    /** Reads {@code model_type: electra}. */
    public Electra() {
        super("electra", "Electra", "electra.");
    }

    @Override
    Encoder.Config config(Fields f) {
        Encoder.Config read = Encoder.Config.read(f, f.integer("type_vocab_size", 2), 0, false);
        return read.withEmbedding(f.integer("embedding_size", 128));
    }

    @Override
    boolean pools(Task task) {
        return false;
    }

    @Override
    Head sequence(Encoder encoder, Fields f, Weights w, HeadSpec spec) {
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
    Head choice(Encoder encoder, Fields f, Weights w, HeadSpec spec) {
        f.choice("summary_type", "first", "first");
        if (!f.bool("summary_use_proj", true)) {
            throw f.wrong("summary_use_proj", "true");
        }
        return first(
                "sequence_summary.summary",
                Activation.read(f, "summary_activation", "gelu"),
                0,
                f.number("summary_last_dropout", 0.1),
                "classifier",
                encoder.hiddenSize(),
                w,
                spec);
    }

    @Override
    Head masked(Encoder encoder, Fields f, Weights w) {
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
