package dev.graft.peft;

import org.bytedeco.pytorch.Tensor;

/**
 * A tensor of an adapter.
 *
 * @param key its name: the site's module path and a suffix, or a name of its own; {@code *} stands for the adapter's name
 * @param value a leaf of the gradient graph if it is trainable
 * @param place where a saved adapter has it
 * @param counted whether it is among all parameters in PEFT's sense; its buffers are not
 */
public record Parameter(String key, Tensor value, boolean trainable, Place place, boolean counted) {
    /** Where a saved adapter has a tensor. */
    public enum Place {
        /** In the file of the tool whose folder it is. */
        FILE,
        /** In {@code graft.safetensors} beside it, because that tool's files lack it. */
        BESIDE,
        /** Nowhere; only checkpoints of a training have it. */
        NOWHERE
    }

    /** Whether the tool's file has it. */
    public boolean saved() {
        return place == Place.FILE;
    }
}
