package dev.graft.serve;

/** Thrown when an engine rejects a valid request: its queue is full, it is stopping, or the deadline has passed. */
public final class RejectedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** The reason for a rejection. */
    public enum Reason {
        /** The queue is full. */
        FULL,
        /** The engine is stopping. */
        STOPPING,
        /** The deadline has passed. */
        LATE
    }

    private final Reason reason;

    public RejectedException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    public static RejectedException timeout() {
        return new RejectedException(Reason.LATE, "the request took longer than it may");
    }

    public static RejectedException stopping() {
        return new RejectedException(Reason.STOPPING, "the server is stopping");
    }

    public Reason reason() {
        return reason;
    }
}
