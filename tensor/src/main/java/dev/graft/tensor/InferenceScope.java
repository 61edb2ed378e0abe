package dev.graft.tensor;

import org.bytedeco.pytorch.InferenceMode;

/**
 * Turns gradient recording off on this thread until closed, with all bookkeeping for later recording (libtorch's inference mode). libtorch
 * refuses to save a tensor made inside for a gradient, or to change it in place afterwards. So don't keep tensors made inside for training.
 */
public final class InferenceScope implements AutoCloseable {
    static {
        Natives.load();
    }

    private final InferenceMode mode = new InferenceMode(true);

    @Override
    public void close() {
        mode.close();
    }
}
