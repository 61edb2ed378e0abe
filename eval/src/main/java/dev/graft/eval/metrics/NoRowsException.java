package dev.graft.eval.metrics;

/** Thrown by {@link Metric#value} of a metric without rows. */
public final class NoRowsException extends IllegalStateException {

    private static final long serialVersionUID = 1L;

    public NoRowsException(String score) {
        super(score + " of no rows: the evaluation set is empty, or update was never called");
    }
}
