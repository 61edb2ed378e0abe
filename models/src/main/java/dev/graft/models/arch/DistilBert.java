package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.Head;
import dev.graft.models.sites.Embedding;
import dev.graft.models.weights.Weights;

/** DistilBERT (Sanh et al., 2019): BERT with half of its layers, without segments and without a pooler. */
public final class DistilBert extends BertFamily {
    private static final BertEncoder.Names NAMES = new BertEncoder.Names(
            "transformer.layer.",
            "attention",
            "attention.q_lin",
            "attention.k_lin",
            "attention.v_lin",
            "attention.out_lin",
            "sa_layer_norm",
            "ffn.lin1",
            "ffn.lin2",
            "output_layer_norm",
            "attention_adapters",
            "output_adapters");

    /** Reads {@code model_type: distilbert}. */
    public DistilBert() {
        super("distilbert", "DistilBert", "distilbert.");
    }

    @Override
    BertEncoder.Config config(Fields f) {
        BertEncoder.Size size = new BertEncoder.Size(
                f.integer("vocab_size"),
                f.integer("dim"),
                f.integer("n_layers"),
                BertEncoder.heads(f, "n_heads", "dim"),
                f.integer("max_position_embeddings"));
        // Sinusoidal or learned, the checkpoint holds the table.
        f.bool("sinusoidal_pos_embds", false);
        return new BertEncoder.Config(
                size,
                f.integer("hidden_dim"),
                size.hidden(),
                0,
                Embedding.padding(f, 0),
                0,
                Activation.read(f, "activation", "gelu"),
                1e-12,
                f.number("attention_dropout", 0.1, 0, 1),
                0,
                f.number("dropout", 0.1, 0, 1),
                NAMES,
                false,
                0);
    }

    @Override
    double dropout(BertEncoder encoder, Fields f) {
        return encoder.config().dropout();
    }

    @Override
    double answerDropout(Fields f) {
        return f.number("qa_dropout", 0.1, 0, 1);
    }

    @Override
    Head sequence(BertEncoder encoder, Fields f, Weights w, HeadSpec spec) {
        double dropout = f.number("seq_classif_dropout", 0.2, 0, 1);
        return first("pre_classifier", Activation.RELU, 0, dropout, "classifier", encoder.hiddenSize(), w, spec);
    }

    @Override
    boolean pools(Task task) {
        return false;
    }

    @Override
    Head choice(BertEncoder encoder, Fields f, Weights w, HeadSpec spec) {
        return sequence(encoder, f, w, spec);
    }

    @Override
    Head masked(BertEncoder encoder, Fields f, Weights w) {
        return vocabulary(
                encoder.words(),
                "vocab_transform",
                encoder.config().activation(),
                "vocab_layer_norm",
                encoder.config().eps(),
                "vocab_projector",
                "vocab_projector.bias",
                encoder.hiddenSize(),
                w);
    }
}
