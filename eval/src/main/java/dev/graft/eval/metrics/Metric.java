package dev.graft.eval.metrics;

import java.util.Map;

/**
 * A score over rows of type {@code O}, accumulated row by row.
 *
 * <pre>{@code
 * Metric<ClassPrediction> f1 = new PrecisionRecallF1(25, Average.MACRO);
 * for (var row : rows) f1.update(new ClassPrediction(row.label(), row.predicted()));
 * f1.name();   // "macro_f1"
 * f1.value();  // in [0, 1]
 * }</pre>
 *
 * <p>Create new metrics for each evaluation; there is no reset. Not thread-safe.
 */
public interface Metric<O> {

    /** The name of {@link #value()} in logs and files, in snake case: {@code macro_f1}. */
    String name();

    /** Returns whether a larger value means a better model. This holds for all {@link #values()}. */
    boolean higherIsBetter();

    /**
     * Adds a row.
     *
     * @throws IllegalArgumentException if the row cannot be scored: a class out of range, a number that is not finite
     */
    void update(O row);

    /**
     * Returns the score of the rows so far; NaN where it is undefined (a correlation with a constant, R² of one row).
     *
     * @throws IllegalStateException if there was no row
     */
    double value();

    /**
     * Returns all figures of this metric by name in a fixed order, {@link #value()} under {@link #name()} among them.
     */
    default Map<String, Double> values() {
        return Map.of(name(), value());
    }
}
