package dev.graft.eval.metrics;

import java.util.BitSet;

/** The share of label decisions, rows times labels, that are wrong. */
public final class HammingLoss implements Metric<LabelSetPrediction> {

    private final int labels;
    private long wrong;
    private long rows;

    public HammingLoss(int labels) {
        if (labels < 1) {
            throw new IllegalArgumentException("the Hamming loss needs at least 1 label, got " + labels);
        }
        this.labels = labels;
    }

    @Override
    public String name() {
        return "hamming_loss";
    }

    @Override
    public boolean higherIsBetter() {
        return false;
    }

    @Override
    public void update(LabelSetPrediction row) {
        row.requireAtMost(labels);
        BitSet different = row.labels();
        different.xor(row.predictions());
        wrong += different.cardinality();
        rows++;
    }

    @Override
    public double value() {
        if (rows == 0) {
            throw new NoRowsException(name());
        }
        return wrong / ((double) rows * labels);
    }
}
