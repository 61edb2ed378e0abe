package dev.graft.models.sites;

/** The purpose of a linear layer, which selects layers independently of an architecture's names. */
public enum Role {
    QUERY,
    KEY,
    VALUE,
    /** Queries, keys and values by one layer, in this order. */
    QUERY_KEY_VALUE,
    /** Attention's output projection. */
    OUTPUT,
    GATE,
    UP,
    /** Gate and up by one layer, in this order. */
    GATE_UP,
    DOWN,
    /** The router of a mixture of experts. */
    ROUTER,
    /** From embeddings of another size to hidden states. */
    PROJECTION,
    POOLER,
    /** The convolution that embeds patches of an image, or positions of a sound. */
    PATCH,
    /** A convolution inside a network of convolutions. */
    CONVOLUTION,
    /** The task head or the vocabulary head. */
    HEAD
}
