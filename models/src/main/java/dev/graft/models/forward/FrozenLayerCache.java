package dev.graft.models.forward;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A cache of the output of a network's first layers, in and below which nothing is trained. An earlier pass has stored the output, or this one
 * stores it for later passes.
 */
public interface FrozenLayerCache {
    /** The number of layers, at least 1. */
    int layers();

    /** Returns the output for the rows of the pass, {@code [batch, seq, hidden]}; null if it isn't known. */
    @Nullable
    Tensor cachedOutput();

    /** Stores the output, {@code [batch, seq, hidden]}. */
    void cacheOutput(Tensor output);
}
