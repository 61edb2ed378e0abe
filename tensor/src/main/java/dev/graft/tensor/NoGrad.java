package dev.graft.tensor;

import org.bytedeco.pytorch.NoGradGuard;

/** Turns gradient recording off on this thread until closed. */
public final class NoGrad implements AutoCloseable {
    static {
        Natives.load();
    }

    private final NoGradGuard guard = new NoGradGuard();

    @Override
    public void close() {
        guard.close();
    }
}
