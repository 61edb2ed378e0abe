package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.attention.Alibi;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.functions.Activation;

/**
 * Falcon (Almazrouei et al., 2023): a {@link PreNormDecoder} with one layer for queries, keys and values. With
 * {@code new_decoder_architecture} (40B, 180B, 11B) groups of queries share a key head, and the blocks have one norm
 * each or one together. Without it (7B, RW) all queries share one key head if {@code multi_query} is true. The blocks
 * then read one norm if {@code parallel_attn} is true. RW has ALiBi. Dropout applies to each block's output;
 * transformers drops the sum of parallel ones.
 */
public class Falcon extends PreNormFamily {
    private static final PreNormDecoder.Names NAMES = new PreNormDecoder.Names(
            "word_embeddings", "h", "self_attention", "dense", "dense_h_to_4h", "dense_4h_to_h", "ln_f");

    private final Counts counts;

    /** The names of the numbers of layers, of heads and of key heads in config.json. */
    private record Counts(String layers, String heads, String keyHeads) {}

    /** Reads {@code model_type: falcon}. */
    public Falcon() {
        this("falcon", "Falcon", new Counts("num_hidden_layers", "num_attention_heads", "num_kv_heads"));
    }

    private Falcon(String modelType, String stem, Counts counts) {
        super(modelType, stem, "transformer.");
        this.counts = counts;
    }

    /** The files of 7B and RW from before transformers had the family. */
    public static class RefinedWeb extends Falcon {
        /** Reads {@code model_type: RefinedWebModel}. */
        public RefinedWeb() {
            this("RefinedWebModel");
        }

        private RefinedWeb(String modelType) {
            super(modelType, "RW", new Counts("n_layer", "n_head", "n_head_kv"));
        }

        @Override
        boolean usual() {
            return false;
        }

        @Override
        boolean newer(Fields f) {
            return false;
        }
    }

    /** The files of 40B from before transformers had the family. */
    public static final class LargeRefinedWeb extends RefinedWeb {
        /** Reads {@code model_type: RefinedWeb}. */
        public LargeRefinedWeb() {
            super("RefinedWeb");
        }

        @Override
        boolean usual() {
            return true;
        }

        @Override
        boolean newer(Fields f) {
            return true;
        }
    }

    /** Returns the default of {@code multi_query} and {@code parallel_attn}. */
    boolean usual() {
        return true;
    }

    /** Returns whether it has the architecture of 40B. */
    boolean newer(Fields f) {
        return f.bool("new_decoder_architecture", false);
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
        PreNormDecoder.Size size = size(f);
        int dim = size.hidden() / size.heads();
        boolean newer = newer(f);
        boolean linear = f.bool("alibi", false);
        boolean bias = f.bool("bias", false);
        int keyValues = keyValues(f, size, newer);
        Integer inner = f.integerOrNull("ffn_hidden_size");
        PreNormDecoder.Norms norms = norms(f, newer);
        double hiddenDropout = f.number("hidden_dropout", 0.0, 0, 1);
        double attentionDropout = f.number("attention_dropout", 0.0, 0, 1);
        return new PreNormDecoder.Config(
                size,
                NAMES,
                new PreNormDecoder.Heads(
                        keyValues,
                        dim,
                        new PreNormDecoder.Fused("query_key_value", new QkvLayout(keyValues)),
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
                new PreNormDecoder.Dropouts(
                        0,
                        linear ? attentionDropout : 0,
                        norms.parallel() ? hiddenDropout : attentionDropout,
                        hiddenDropout),
                -1,
                linear ? null : RopeScaling.read(f, dim),
                linear ? Alibi.rounded(size.heads(), 1 / Math.sqrt(dim)) : null);
    }

    private PreNormDecoder.Size size(Fields f) {
        String hidden = f.integerOrNull("n_embed") == null ? "hidden_size" : "n_embed";
        return new PreNormDecoder.Size(
                f.integer("vocab_size"),
                f.integer(hidden),
                f.integer(counts.layers),
                BertEncoder.heads(f, counts.heads, hidden),
                RopeScaling.positions(f, 2048));
    }

    private int keyValues(Fields f, PreNormDecoder.Size size, boolean newer) {
        Integer given = f.integerOrNull(counts.keyHeads);
        int keyValues = given == null ? size.heads() : given;
        if (newer && (keyValues < 1 || size.heads() % keyValues != 0)) {
            throw f.invalid(counts.keyHeads, "a divisor of " + counts.heads + " " + size.heads());
        }
        if (newer) {
            return keyValues;
        }
        if (f.bool("multi_query", usual())) {
            return 1;
        }
        if (keyValues != size.heads()) {
            throw f.invalid(counts.keyHeads, size.heads() + ", as " + counts.heads + ", where multi_query is false");
        }
        return keyValues;
    }

    private PreNormDecoder.Norms norms(Fields f, boolean newer) {
        boolean parallel = f.bool("parallel_attn", usual());
        Integer given = f.integerOrNull("num_ln_in_parallel_attn");
        int most = newer ? 2 : 1;
        int count = given == null ? most : given;
        double eps = f.number("layer_norm_epsilon", 1e-5, 0, 1);
        if (newer && !parallel) {
            throw f.invalid("parallel_attn", "true, as the architecture of 40B has it");
        }
        if (!parallel) {
            return new PreNormDecoder.Norms("input_layernorm", "post_attention_layernorm", false, eps);
        }
        if (count < 1 || count > most) {
            throw f.invalid("num_ln_in_parallel_attn", newer ? "1 or 2" : "1 where new_decoder_architecture is false");
        }
        return count == 2
                ? new PreNormDecoder.Norms("ln_attn", "ln_mlp", true, eps)
                : new PreNormDecoder.Norms("input_layernorm", null, true, eps);
    }
}
