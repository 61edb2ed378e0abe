package dev.graft.models.sites;

/**
 * An attention layer's keys and values, before which a prefix can be put.
 *
 * @param name the module path of the attention layer
 * @param heads the number of key/value heads
 * @param headDim the size of one head
 */
public record Attention(String name, int layer, int heads, int headDim) implements Site {}
