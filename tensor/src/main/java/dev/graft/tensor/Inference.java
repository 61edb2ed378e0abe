package dev.graft.tensor;

import org.bytedeco.pytorch.InferenceMode;

/**
 * Turns gradient recording off on this thread until closed, and with it all that operations note for the case that a gradient is recorded later
 * (libtorch's inference mode). A tensor made meanwhile can't be saved for a gradient, nor be changed in place after: libtorch refuses either. So
 * nothing made in here may be kept for training.
 */
public final class Inference implements AutoCloseable {
    static {
        Natives.load();
    }

    private final InferenceMode mode = new InferenceMode(true);

    @Override
    public void close() {
        mode.close();
    }
}
