package dev.graft.train.loss;

import java.util.Map;
import java.util.TreeMap;

/**
 * The loss of one or several batches, as a sum and a count.
 *
 * @param sum the loss summed over all terms
 * @param terms the number of terms: labelled tokens, or rows
 * @param metrics other figures of the batch by name, each a sum of terms too
 */
public record Loss(double sum, long terms, Map<String, Loss> metrics) {
    /** The loss of nothing. */
    public static final Loss NONE = new Loss(0, 0);

    public Loss {
        metrics = Map.copyOf(metrics);
    }

    public Loss(double sum, long terms) {
        this(sum, terms, Map.of());
    }

    public double mean() {
        return sum / terms;
    }

    public Loss plus(Loss other) {
        Map<String, Loss> both = new TreeMap<>(metrics);
        other.metrics.forEach((name, figure) -> both.merge(name, figure, Loss::plus));
        return new Loss(sum + other.sum, terms + other.terms, both);
    }
}
