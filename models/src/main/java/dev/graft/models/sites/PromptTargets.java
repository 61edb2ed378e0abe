package dev.graft.models.sites;

import java.util.Arrays;

/**
 * What a causal model should predict at the rows of a prompt while it trains; a batch has them row after row.
 *
 * @param labels token ids, {@link #NONE} for nothing
 * @param weights by how much the loss at each row counts
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract: made once for a prompt
public record PromptTargets(long[] labels, double[] weights) {
    /** The label of a row at which nothing is predicted. */
    public static final long NONE = -100;

    public PromptTargets {
        if (labels.length != weights.length) {
            throw new IllegalArgumentException(labels.length + " labels and " + weights.length + " weights");
        }
    }

    /** So many rows at which nothing is predicted. */
    public static PromptTargets none(int rows) {
        long[] labels = new long[rows];
        double[] weights = new double[rows];
        Arrays.fill(labels, NONE);
        Arrays.fill(weights, 1);
        return new PromptTargets(labels, weights);
    }

    /** Whether nothing is predicted at any row. */
    public boolean areNone() {
        return Arrays.stream(labels).allMatch(label -> label == NONE);
    }

    /** Writes these at a row of others. */
    public void copyInto(PromptTargets others, int row) {
        System.arraycopy(labels, 0, others.labels, row, labels.length);
        System.arraycopy(weights, 0, others.weights, row, weights.length);
    }
}
