package dev.graft.models.sites;

import java.util.Arrays;

/**
 * The training targets of a causal model at the rows of a prompt; those of a batch are concatenated row by row.
 *
 * @param labels token ids, {@link #NONE} for no target
 * @param weights the weight of the loss at each row
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract: made once for a prompt
public record PromptTargets(long[] labels, double[] weights) {
    /** The label of a row without a target. */
    public static final long NONE = -100;

    public PromptTargets {
        if (labels.length != weights.length) {
            throw new IllegalArgumentException(labels.length + " labels and " + weights.length + " weights");
        }
    }

    /** Returns that many rows without targets. */
    public static PromptTargets none(int rows) {
        long[] labels = new long[rows];
        double[] weights = new double[rows];
        Arrays.fill(labels, NONE);
        Arrays.fill(weights, 1);
        return new PromptTargets(labels, weights);
    }

    /** Returns whether no row has a target. */
    public boolean areNone() {
        return Arrays.stream(labels).allMatch(label -> label == NONE);
    }

    /** Copies these targets into others, at a row. */
    public void copyInto(PromptTargets others, int row) {
        System.arraycopy(labels, 0, others.labels, row, labels.length);
        System.arraycopy(weights, 0, others.weights, row, weights.length);
    }
}
