package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Activation;
import dev.graft.models.Head;
import dev.graft.models.Weights;

/**
 * MPNet (Song et al., 2020): RoBERTa with a bias on attention's scores that depends on how far apart two positions are. The id of padding is
 * 1, whatever config.json says.
 */
public final class Mpnet extends EncoderFamily {
    private static final Encoder.Names NAMES = new Encoder.Names(
            "encoder.layer.",
            "attention.attn",
            "attention.attn.q",
            "attention.attn.k",
            "attention.attn.v",
            "attention.attn.o",
            "attention.LayerNorm",
            "intermediate.dense",
            "output.dense",
            "output.LayerNorm",
            "attention.output",
            "output");

    /** Reads {@code model_type: mpnet}. */
    public Mpnet() {
        super("mpnet", "MPNet", "mpnet.");
    }

    @Override
    Encoder.Config config(Fields f) {
        if (f.integer("relative_attention_num_buckets", 32) != 32) {
            throw f.wrong("relative_attention_num_buckets", "32: MPNet always counts so many");
        }
        if (f.has("pad_token_id") && f.integer("pad_token_id") != 1) {
            throw f.wrong("pad_token_id", "1");
        }
        return Encoder.Config.read(f, 0, 1, true).withNames(NAMES).withDistances();
    }

    @Override
    double dropout(Encoder encoder, Fields f) {
        return encoder.config().dropout();
    }

    @Override
    Head sequence(Encoder encoder, Fields f, Weights w, HeadSpec spec) {
        double dropout = encoder.config().dropout();
        return first(
                "classifier.dense",
                Activation.TANH,
                dropout,
                dropout,
                "classifier.out_proj",
                encoder.hiddenSize(),
                w,
                spec);
    }

    @Override
    Head masked(Encoder encoder, Fields f, Weights w) {
        return vocabulary(
                encoder.words(),
                "lm_head.dense",
                Activation.GELU,
                "lm_head.layer_norm",
                encoder.config().eps(),
                "lm_head.decoder",
                "lm_head.bias",
                encoder.hiddenSize(),
                w);
    }
}
