package dev.graft.models;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What the first layers of a network give for the rows of a pass, where nothing in them or below learns: known from an earlier pass, or
 * to be known for later ones.
 */
public interface FrozenPrefix {
    /** How many layers, at least 1. */
    int layers();

    /** Their output for these rows, {@code [batch, seq, hidden]}; null if it isn't known. */
    @Nullable
    Tensor known();

    /** Told their output. */
    void learn(Tensor output);
}
