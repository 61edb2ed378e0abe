package dev.graft.train;

/** A run that cannot go on. The message says at which step and why; the last checkpoint is intact. */
public final class TrainingException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public TrainingException(String message) {
        super(message);
    }
}
