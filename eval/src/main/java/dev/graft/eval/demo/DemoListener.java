package dev.graft.eval.demo;

import dev.graft.train.TrainingEvent.Stepped;

/** Listens to the progress of a demonstration and may interrupt it. Called on the demonstration's thread. */
public interface DemoListener {
    /** Called with a line about a finished part. */
    default void onMessage(String line) {}

    /** Called when rows of a task are done. */
    default void onProgress(String task, long done, long total) {}

    /** Called after a training step. */
    default void onStep(Stepped step) {}

    /**
     * Returns whether to stop. Checked often; once it is true, {@link Demo#run} ends with a
     * {@link java.util.concurrent.CancellationException}.
     */
    default boolean isInterrupted() {
        return false;
    }
}
