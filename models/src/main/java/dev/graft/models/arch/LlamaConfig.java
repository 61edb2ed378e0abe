package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Backbone.Size;
import dev.graft.models.attention.AttentionWindow;
import dev.graft.models.attention.Rope;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.functions.Activation;
import dev.graft.models.functions.SoftCap;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Norm;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The shape of a {@link LlamaDecoder}, in which its families differ.
 *
 * @param padding as in {@link Embedding}
 * @param embeddingScale the multiplier of token embeddings
 * @param embeddingDropout the dropout of the embeddings
 * @param residualDropout the dropout of the outputs of blocks
 * @param kinds one kind for each layer
 */
record LlamaConfig(
        Size size,
        Heads heads,
        Mlp mlp,
        Norms norms,
        int padding,
        double embeddingScale,
        double embeddingDropout,
        double residualDropout,
        List<LayerKind> kinds) {
    /** Creates a shape without scaling and dropout. */
    LlamaConfig(Size size, Heads heads, Mlp mlp, Norms norms, int padding, List<LayerKind> kinds) {
        this(size, heads, mlp, norms, padding, 1, 0, 0, kinds);
    }

    /** The placement of the norms of a layer: before its blocks, behind them, or both. */
    enum NormPlacement {
        BEFORE,
        BEHIND,
        BOTH
    }

    /** The normalisation of queries and keys before the rotation. */
    enum HeadNorm {
        NONE,
        /** Each head. */
        EACH,
        /** All heads together. */
        ALL,
        /** Each head, without weights, and only in layers with positions. */
        UNWEIGHTED
    }

    /**
     * The attention of a layer.
     *
     * @param scale the multiplier of the products of queries and keys
     * @param bias whether the queries, keys and values have biases
     * @param outputBias whether the output projection has one
     * @param cap the cap of the scores, or null
     * @param fused whether one layer computes queries, keys and values
     */
    @RecordBuilder
    record Heads(
            int keyValues,
            int dim,
            double scale,
            double dropout,
            boolean bias,
            boolean outputBias,
            boolean fused,
            HeadNorm norm,
            @Nullable SoftCap cap)
            implements LlamaConfigHeadsBuilder.With {
        /** Reads the heads from the fields of Llama, with the biases in config.json. */
        static Heads read(Fields f, Size size, int absentKeyValues) {
            return read(f, size, absentKeyValues, size.hidden() / size.heads());
        }

        /**
         * Reads the heads, with a default of the family for the size of a head. A null in config.json is the size of a
         * hidden state divided by the number of heads.
         */
        static Heads read(Fields f, Size size, int absentKeyValues, int absentDim) {
            int keyValues = keyValues(f, size, absentKeyValues);
            int dim = f.has("head_dim") && f.integerOrNull("head_dim") == null
                    ? size.hidden() / size.heads()
                    : f.integer("head_dim", absentDim, 1);
            boolean bias = f.bool("attention_bias", false);
            return new Heads(
                    keyValues,
                    dim,
                    1 / Math.sqrt(dim),
                    f.number("attention_dropout", 0.0, 0, 1),
                    bias,
                    bias,
                    false,
                    HeadNorm.NONE,
                    null);
        }

        /** Reads the number of heads of keys and values; a null in config.json is the number of heads of queries. */
        static int keyValues(Fields f, Size size, int absent) {
            int keyValues = f.has("num_key_value_heads") && f.integerOrNull("num_key_value_heads") == null
                    ? size.heads()
                    : f.integer("num_key_value_heads", absent);
            if (keyValues < 1 || size.heads() % keyValues != 0) {
                throw f.invalid("num_key_value_heads", "a divisor of num_attention_heads " + size.heads());
            }
            return keyValues;
        }
    }

    /** The feed-forward block: its name in a layer, its inner size, biases, whether gate and up are one layer. */
    @RecordBuilder
    record Mlp(String name, int intermediate, boolean bias, boolean fused, Activation activation)
            implements LlamaConfigMlpBuilder.With {
        /** Reads the block from the fields of Llama. */
        static Mlp read(Fields f) {
            return read(f, "hidden_act", "silu");
        }

        /** Reads the block, with the activation in another field. */
        static Mlp read(Fields f, String field, String absent) {
            return new Mlp(
                    "mlp",
                    f.integer("intermediate_size"),
                    f.bool("mlp_bias", false),
                    false,
                    Activation.read(f, field, absent));
        }
    }

    /** The norms of a layer. */
    record Norms(NormPlacement placement, Norm.Kind kind, double eps) {
        /** Reads norms before the blocks. */
        static Norms read(Fields f, double absent) {
            return new Norms(NormPlacement.BEFORE, Norm.Kind.RMS, f.number("rms_norm_eps", absent, 0, 1));
        }

        /** Reads norms behind the blocks. */
        static Norms readBehind(Fields f) {
            return new Norms(NormPlacement.BEHIND, Norm.Kind.RMS, f.number("rms_norm_eps", 1e-5, 0, 1));
        }
    }

    /**
     * The properties that differ between layers.
     *
     * @param rope the rotary positions, or null for none
     * @param temperature the temperature of the scores, or null
     * @param experts the mixture in place of the feed-forward block, or null
     */
    record LayerKind(
            @Nullable Rope rope,
            AttentionWindow attentionWindow,
            @Nullable AttentionTemperature temperature,
            MixtureOfExperts.@Nullable Config experts) {
        /** Creates the kind of a layer that doesn't tune the temperature of its scores. */
        LayerKind(@Nullable Rope rope, AttentionWindow attentionWindow, MixtureOfExperts.@Nullable Config experts) {
            this(rope, attentionWindow, null, experts);
        }
    }

    /** Reads the sizes, with a family's default for the number of positions. */
    static Size size(Fields f, int absentPositions) {
        int heads = f.integer("num_attention_heads");
        if (heads < 1) {
            throw f.invalid("num_attention_heads", "at least 1");
        }
        return new Size(
                f.integer("vocab_size"),
                f.integer("hidden_size"),
                f.integer("num_hidden_layers"),
                heads,
                RopeScaling.positions(f, absentPositions));
    }
}
