package dev.graft.eval.demo;

import dev.graft.train.TrainingEvent.Stepped;

/** Is told how a demonstration goes on, on its thread, and may stop it. */
public interface Watcher {
    /** Something is done: a line to keep. */
    default void says(String line) {}

    /** Rows of a task are done. */
    default void progress(String task, long done, long total) {}

    /** A step of training is done. */
    default void step(Stepped step) {}

    /** Asked often; once it is true, {@link Demo#run} ends with a {@link java.util.concurrent.CancellationException}. */
    default boolean interrupted() {
        return false;
    }
}
