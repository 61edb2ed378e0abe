package dev.graft.serve;

/** What was asked for. */
public final class Ticket {
    private final long deadline;
    private volatile boolean cancelled;

    /** @param deadline by {@link System#nanoTime}; {@link Long#MAX_VALUE} for none */
    Ticket(long deadline) {
        this.deadline = deadline;
    }

    /** Says that nobody waits for it any more: it ends with its next step, and its listener hears nothing more. */
    public void cancel() {
        cancelled = true;
    }

    boolean isCancelled() {
        return cancelled;
    }

    /** Whether it took longer than it may. */
    boolean isLate() {
        return deadline != Long.MAX_VALUE && System.nanoTime() - deadline > 0;
    }
}
