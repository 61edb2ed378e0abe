package dev.graft.run.progress;

import dev.graft.hub.DownloadProgress;
import dev.graft.train.TrainingListener;

/**
 * Watches a run from its preparation to its report, and may end it early.
 *
 * <pre>{@code
 * RunListener printer = new RunListener() {
 *     public void onNotice(String line) {
 *         System.out.println(line);
 *     }
 * };
 * }</pre>
 */
public interface RunListener extends TrainingListener {
    /** A listener that ignores everything and never stops the run. */
    RunListener SILENT = new RunListener() {};

    /** Called with a line to show to the user. */
    default void onNotice(String line) {}

    /** Called before files are fetched; the result receives their progress and is closed at the end. */
    default Fetch onFetch() {
        return Fetch.SILENT;
    }

    /**
     * Called before work that must save something if the process is terminated; the result is closed after it.
     *
     * @param notice the line to show in that case
     */
    default Work onWork(String notice) {
        return () -> {};
    }

    /** Returns whether the run must end after the current step. */
    default boolean isStopRequested() {
        return false;
    }

    /** Progress of a fetch. */
    interface Fetch extends DownloadProgress, AutoCloseable {
        Fetch SILENT = (what, done, total) -> {};

        @Override
        default void close() {}
    }

    /** Work in progress. */
    @FunctionalInterface
    interface Work extends AutoCloseable {
        @Override
        void close();
    }
}
