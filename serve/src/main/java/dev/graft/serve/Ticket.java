package dev.graft.serve;

/** A text that was asked for. */
public final class Ticket {
    private volatile boolean cancelled;

    /** Says that nobody waits for it any more: it ends with its next step, and its listener hears nothing more. */
    public void cancel() {
        cancelled = true;
    }

    boolean isCancelled() {
        return cancelled;
    }
}
