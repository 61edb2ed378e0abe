package dev.graft.models.sites;

import dev.graft.models.SoftCap;
import org.jspecify.annotations.Nullable;

/**
 * An attention layer's keys and values, before which a prefix can be put.
 *
 * @param kind whose positions they are
 * @param name the module path of the attention layer
 * @param heads the number of key/value heads
 * @param headDim the size of one head
 * @param scale what the products of queries and keys are multiplied by
 * @param cap of the scaled products, before they are masked; null for none
 */
public record Attention(
        String name,
        int layer,
        Kind kind,
        int heads,
        int headDim,
        double scale,
        @Nullable SoftCap cap) implements Site {
    /** Whose positions are attended to. */
    public enum Kind {
        /** The model's own, or a decoder's own. */
        OWN,
        /** An encoder's own where a decoder follows. */
        ENCODER,
        /** Those of a decoder's encoder. */
        CROSS
    }

    /** Attention without a cap. */
    public Attention(String name, int layer, Kind kind, int heads, int headDim, double scale) {
        this(name, layer, kind, heads, headDim, scale, null);
    }

    /** Attention to a model's own positions. */
    public Attention(String name, int layer, int heads, int headDim, double scale) {
        this(name, layer, Kind.OWN, heads, headDim, scale);
    }

    /** Attention with the scale 1 / √headDim. */
    public Attention(String name, int layer, int heads, int headDim) {
        this(name, layer, heads, headDim, 1 / Math.sqrt(headDim));
    }
}
