package dev.graft.train.loss;

/**
 * The loss of a batch.
 *
 * @param sum over all its terms
 * @param terms how many: labelled tokens, or rows
 */
public record Loss(double sum, long terms) {
    /** The loss of nothing. */
    public static final Loss NONE = new Loss(0, 0);

    public double mean() {
        return sum / terms;
    }

    public Loss plus(Loss other) {
        return new Loss(sum + other.sum, terms + other.terms);
    }
}
