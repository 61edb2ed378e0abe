package dev.graft.models.tokenizers;

/** The end of a sequence at which tokens are dropped or padding is added. */
public enum Side {
    LEFT,
    RIGHT
}
