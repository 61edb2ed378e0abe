package dev.graft.models.sites;

/** What a linear layer is for, so that it can be chosen without knowing an architecture's names. */
public enum Role {
    QUERY,
    KEY,
    VALUE,
    /** Queries, keys and values by one layer, one after another. */
    QUERY_KEY_VALUE,
    /** Attention's output projection. */
    OUTPUT,
    GATE,
    UP,
    /** Gate and up by one layer, one after the other. */
    GATE_UP,
    DOWN,
    /** What chooses the experts of a mixture. */
    ROUTER,
    /** From embeddings of another size to hidden states. */
    PROJECTION,
    POOLER,
    /** The convolution that makes patches of an image, or positions of a sound. */
    PATCH,
    /** A convolution inside a network of convolutions. */
    CONVOLUTION,
    /** The task head or the vocabulary head. */
    HEAD
}
