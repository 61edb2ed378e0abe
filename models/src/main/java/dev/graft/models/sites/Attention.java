package dev.graft.models.sites;

import dev.graft.models.functions.SoftCap;
import org.jspecify.annotations.Nullable;

/**
 * The keys and values of an attention layer, which may have a prefix before them.
 *
 * @param name the module path of the attention layer
 * @param layer the index of the transformer layer
 * @param kind the positions that it attends to
 * @param heads the number of key/value heads
 * @param headDim the size of one head
 * @param scale the factor of the products of queries and keys
 * @param cap the cap of the scaled products, before the mask; null for none
 */
public record Attention(
        String name,
        int layer,
        Kind kind,
        int heads,
        int headDim,
        double scale,
        @Nullable SoftCap cap) implements Site {
    /** The positions that a layer attends to. */
    public enum Kind {
        /** The model's own, or a decoder's own. */
        OWN,
        /** An encoder's own, in an encoder-decoder. */
        ENCODER,
        /** Those of a decoder's encoder. */
        CROSS
    }

    /** Creates attention without a cap. */
    public Attention(String name, int layer, Kind kind, int heads, int headDim, double scale) {
        this(name, layer, kind, heads, headDim, scale, null);
    }

    /** Creates attention to a model's own positions. */
    public Attention(String name, int layer, int heads, int headDim, double scale) {
        this(name, layer, Kind.OWN, heads, headDim, scale);
    }

    /** Creates attention with the scale 1 / √headDim. */
    public Attention(String name, int layer, int heads, int headDim) {
        this(name, layer, heads, headDim, 1 / Math.sqrt(headDim));
    }
}
