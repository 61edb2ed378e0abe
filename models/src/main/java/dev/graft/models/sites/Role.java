package dev.graft.models.sites;

/** What a linear layer is for, so that it can be chosen without knowing an architecture's names. */
public enum Role {
    QUERY,
    KEY,
    VALUE,
    /** Attention's output projection. */
    OUTPUT,
    GATE,
    UP,
    DOWN,
    POOLER,
    /** The task head or the vocabulary head. */
    HEAD
}
