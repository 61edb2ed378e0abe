package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Activation;
import dev.graft.models.Rope;

/**
 * Falcon (Almazrouei et al., 2023): a {@link PreNormDecoder} in which one layer gives queries, keys and values. With
 * {@code new_decoder_architecture} (40B, 180B, 11B) groups of queries share a key head, and each block has a norm or both have one; before (7B,
 * RW) all queries share one key head if {@code multi_query} is true, and the blocks read one norm if {@code parallel_attn} is. Dropout is
 * of each block's output, where transformers drops the sum of parallel ones.
 */
public final class Falcon extends PreNormFamily {
    private static final PreNormDecoder.Names NAMES = new PreNormDecoder.Names(
            "word_embeddings", "h", "self_attention", "dense", "dense_h_to_4h", "dense_4h_to_h", "ln_f");

    /** Reads {@code model_type: falcon}. */
    public Falcon() {
        super("falcon", "Falcon", "transformer.");
    }

    @Override
    boolean tied() {
        return true;
    }

    @Override
    String tokenClassifier() {
        return "classifier";
    }

    @Override
    PreNormDecoder.Config config(Fields f) {
        if (f.bool("alibi", false)) {
            throw f.wrong("alibi", "false: Falcon's linear biases aren't supported, only rotary positions");
        }
        PreNormDecoder.Size size = PreNormDecoder.size(f, 2048);
        int dim = size.hidden() / size.heads();
        boolean newer = f.bool("new_decoder_architecture", false);
        boolean bias = f.bool("bias", false);
        int keyValues = keyValues(f, size, newer);
        Integer inner = f.integerOrNull("ffn_hidden_size");
        PreNormDecoder.Norms norms = norms(f, newer);
        double hiddenDropout = f.number("hidden_dropout", 0.0);
        double attentionDropout = f.number("attention_dropout", 0.0);
        return new PreNormDecoder.Config(
                size,
                NAMES,
                new PreNormDecoder.Heads(
                        keyValues,
                        dim,
                        new PreNormDecoder.Fused("query_key_value", keyValues, false),
                        bias,
                        bias,
                        PreNormDecoder.HeadNorm.NONE),
                new PreNormDecoder.Mlp(
                        inner == null ? 4 * size.hidden() : inner,
                        false,
                        bias,
                        Activation.read(f, "activation", "gelu")),
                norms,
                // As in transformers: attention's weights are never dropped where positions are rotary.
                new PreNormDecoder.Dropouts(0, 0, norms.parallel() ? hiddenDropout : attentionDropout, hiddenDropout),
                -1,
                Rope.read(f, dim));
    }

    private static int keyValues(Fields f, PreNormDecoder.Size size, boolean newer) {
        Integer given = f.integerOrNull("num_kv_heads");
        int keyValues = given == null ? size.heads() : given;
        boolean single = f.bool("multi_query", true) && !newer;
        if (single) {
            return 1;
        }
        if (newer && (keyValues < 1 || size.heads() % keyValues != 0)) {
            throw f.wrong("num_kv_heads", "a divisor of num_attention_heads " + size.heads());
        }
        if (!newer && keyValues != size.heads()) {
            throw f.wrong("num_kv_heads", size.heads() + ", as num_attention_heads, where multi_query is false");
        }
        return keyValues;
    }

    private static PreNormDecoder.Norms norms(Fields f, boolean newer) {
        boolean parallel = f.bool("parallel_attn", true);
        Integer given = f.integerOrNull("num_ln_in_parallel_attn");
        int count = given == null ? newer ? 2 : 1 : given;
        double eps = f.number("layer_norm_epsilon", 1e-5);
        if (newer && !parallel) {
            throw f.wrong("parallel_attn", "true, as new_decoder_architecture has it");
        }
        if (!parallel) {
            return new PreNormDecoder.Norms("input_layernorm", "post_attention_layernorm", false, eps);
        }
        if (count < 1 || count > (newer ? 2 : 1)) {
            throw f.wrong("num_ln_in_parallel_attn", newer ? "1 or 2" : "1 where new_decoder_architecture is false");
        }
        return count == 2
                ? new PreNormDecoder.Norms("ln_attn", "ln_mlp", true, eps)
                : new PreNormDecoder.Norms("input_layernorm", null, true, eps);
    }
}
