package dev.graft.peft;

import org.bytedeco.pytorch.Tensor;

/**
 * A tensor of an adapter.
 *
 * @param key its name: the site's module path and a suffix, or its own name; {@code *} represents the adapter's name
 * @param value a leaf of the gradient graph if it is trainable
 * @param storage its place in a saved adapter
 * @param counted whether it counts among all parameters in PEFT's sense; buffers don't
 */
public record Parameter(String key, Tensor value, boolean trainable, Storage storage, boolean counted) {
    /** The place of a tensor in a saved adapter. */
    public enum Storage {
        /** The tool's own file. */
        FILE,
        /** {@code graft.safetensors} beside it, because the tool's file lacks the tensor. */
        GRAFT_FILE,
        /** Nowhere except in training checkpoints. */
        CHECKPOINT_ONLY
    }

    /** Returns whether the tool's file contains it. */
    public boolean saved() {
        return storage == Storage.FILE;
    }
}
