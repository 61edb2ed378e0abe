package dev.graft.serve;

/** Why the engine doesn't answer what is asked well. */
public final class Refused extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** The reasons. */
    public enum Reason {
        /** Too many wait already. */
        FULL,
        /** The engine finishes what it has and takes nothing new. */
        STOPPING,
        /** It took longer than it may. */
        LATE
    }

    private final Reason reason;

    Refused(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    static Refused late() {
        return new Refused(Reason.LATE, "the request took longer than it may");
    }

    static Refused stopping() {
        return new Refused(Reason.STOPPING, "the server is stopping");
    }

    public Reason reason() {
        return reason;
    }
}
