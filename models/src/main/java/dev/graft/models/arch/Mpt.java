package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Backbone;
import dev.graft.models.attention.Alibi;
import dev.graft.models.functions.Activation;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * MPT (MosaicML, 2023): a {@link GptDecoder} with ALiBi and no biases. Features of {@code attn_config} that
 * transformers' class does not support are rejected by name. Only {@code alibi_bias_max} is ignored, as in that class,
 * which always uses 8.
 */
public final class Mpt extends GptFamily {
    private static final GptDecoder.Names NAMES = new GptDecoder.Names(
            "",
            "wte",
            "blocks.",
            "norm_1",
            "attn",
            List.of("attn.Wqkv"),
            "attn.out_proj",
            "norm_2",
            "ffn.up_proj",
            "ffn.down_proj",
            "norm_f");

    /** Reads {@code model_type: mpt}. */
    public Mpt() {
        super("mpt", "Mpt");
    }

    /** The fields of {@code attn_config}, with their defaults. */
    private record AttentionConfig(
            double dropout, double clip, @Nullable Double scale, double farthest) {
        static AttentionConfig read(@Nullable Fields f) {
            if (f == null) {
                return new AttentionConfig(0, Double.POSITIVE_INFINITY, null, 8);
            }
            f.choice("attn_type", "multihead_attention", "multihead_attention");
            for (String field : List.of("prefix_lm", "qk_ln", "attn_uses_sequence_id")) {
                if (f.bool(field, false)) {
                    throw f.invalid(field, "false");
                }
            }
            if (!f.bool("alibi", true)) {
                throw f.invalid("alibi", "true");
            }
            // Which kernels: the same product.
            f.ignore("attn_impl");
            Double clip = f.numberOrNull("clip_qkv");
            return new AttentionConfig(
                    f.number("attn_pdrop", 0, 0, 1),
                    clip == null || clip == 0 ? Double.POSITIVE_INFINITY : clip,
                    f.numberOrNull("softmax_scale"),
                    f.number("alibi_bias_max", 8));
        }
    }

    @Override
    GptDecoder.Config config(Fields f) {
        Backbone.Size size = size(
                f,
                f.integer("vocab_size", 50368),
                f.integer("d_model", 2048),
                "n_heads",
                f.integer("n_heads", 16),
                f.integer("n_layers", 24),
                f.integer("max_seq_len", 2048));
        requireNone(f);
        AttentionConfig attention = AttentionConfig.read(f.objectOrNull("attn_config"));
        Double scale = attention.scale;
        return new GptDecoder.Config(
                size,
                NAMES,
                size.hidden(),
                -1,
                false,
                null,
                Alibi.of(size.heads(), attention.farthest, false),
                new GptDecoder.Heads(
                        size.heads(),
                        QkvLayout.PARTS,
                        false,
                        false,
                        attention.clip,
                        attention.dropout,
                        GptDecoder.LayerKind.same(size, scale == null ? GptDecoder.LayerKind.usual(size) : scale)),
                new GptDecoder.Mlp(f.integer("expansion_ratio", 4) * size.hidden(), false, Activation.GELU),
                GptDecoder.Norms.before(f.number("layer_norm_epsilon", 1e-5, 0, 1))
                        .withBias(false),
                0,
                attention.dropout);
    }

    /** Rejects features that MosaicML's code has and transformers' has not. */
    private static void requireNone(Fields f) {
        if (!f.bool("no_bias", true)) {
            throw f.invalid("no_bias", "true");
        }
        JsonNode scale = f.node("logit_scale");
        if (scale != null && !scale.isNull()) {
            throw f.invalid("logit_scale", "null");
        }
        for (String field : List.of("resid_pdrop", "emb_pdrop")) {
            if (f.number(field, 0) != 0) {
                throw f.invalid(field, "0: dropout is attn_config.attn_pdrop");
            }
        }
        if (f.number("embedding_fraction", 1) != 1) {
            throw f.invalid("embedding_fraction", "1");
        }
        f.choice("norm_type", "low_precision_layernorm", "layernorm", "low_precision_layernorm");
        // With ALiBi there is no table of positions whatever is said.
        f.bool("learned_pos_emb", true);
    }
}
