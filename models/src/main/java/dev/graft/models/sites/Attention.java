package dev.graft.models.sites;

/**
 * An attention layer's keys and values, before which a prefix can be put.
 *
 * @param name the module path of the attention layer
 * @param heads the number of key/value heads
 * @param headDim the size of one head
 * @param scale what the products of queries and keys are multiplied by
 */
public record Attention(String name, int layer, int heads, int headDim, double scale) implements Site {
    /** Attention with the scale 1 / √headDim. */
    public Attention(String name, int layer, int heads, int headDim) {
        this(name, layer, heads, headDim, 1 / Math.sqrt(headDim));
    }
}
