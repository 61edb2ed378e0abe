package dev.graft.train.loss;

import java.util.Map;
import java.util.TreeMap;

/**
 * The loss of a batch.
 *
 * @param sum over all its terms
 * @param terms how many: labelled tokens, or rows
 * @param beside other figures of the batch by name, each a sum of terms too
 */
public record Loss(double sum, long terms, Map<String, Loss> beside) {
    /** The loss of nothing. */
    public static final Loss NONE = new Loss(0, 0);

    public Loss {
        beside = Map.copyOf(beside);
    }

    public Loss(double sum, long terms) {
        this(sum, terms, Map.of());
    }

    public double mean() {
        return sum / terms;
    }

    public Loss plus(Loss other) {
        Map<String, Loss> both = new TreeMap<>(beside);
        other.beside.forEach((name, figure) -> both.merge(name, figure, Loss::plus));
        return new Loss(sum + other.sum, terms + other.terms, both);
    }
}
