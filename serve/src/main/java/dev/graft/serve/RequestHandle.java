package dev.graft.serve;

/** A handle to cancel a submitted request. */
public final class RequestHandle {
    private final long deadline;
    private volatile boolean cancelled;

    /**
     * Creates a handle.
     *
     * @param deadline the deadline by {@link System#nanoTime}; {@link Long#MAX_VALUE} for none
     */
    public RequestHandle(long deadline) {
        this.deadline = deadline;
    }

    /** Cancels the request: it ends with its next step. Of its listener only {@code onRelease} is called after this. */
    public void cancel() {
        cancelled = true;
    }

    public boolean isCancelled() {
        return cancelled;
    }

    /** Returns whether the deadline has passed. */
    public boolean isExpired() {
        return deadline != Long.MAX_VALUE && System.nanoTime() - deadline > 0;
    }
}
