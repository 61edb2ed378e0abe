package dev.graft.eval.metrics;

/** A score was asked of a metric that saw no row. */
public final class NoRowsException extends IllegalStateException {

    private static final long serialVersionUID = 1L;

    public NoRowsException(String score) {
        super(score + " of no rows: the evaluation set is empty, or update was never called");
    }
}
