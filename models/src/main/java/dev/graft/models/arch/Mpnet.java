package dev.graft.models.arch;

import dev.graft.formats.Fields;

/**
 * MPNet (Song et al., 2020): RoBERTa with a bias of attention scores that depends on the distance between two
 * positions. The id of padding is always 1, and config.json is ignored.
 */
public final class Mpnet extends Roberta {
    private static final BertEncoder.Names NAMES = new BertEncoder.Names(
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
    BertEncoder.Config config(Fields f) {
        if (f.integer("relative_attention_num_buckets", 32) != 32) {
            throw f.invalid("relative_attention_num_buckets", "32: MPNet always counts so many");
        }
        if (f.has("pad_token_id") && f.integer("pad_token_id") != 1) {
            throw f.invalid("pad_token_id", "1");
        }
        return BertEncoder.Config.read(f, 0, 1, true).withNames(NAMES).withDistances(true);
    }

    @Override
    double dropout(BertEncoder encoder, Fields f) {
        return encoder.config().dropout();
    }
}
