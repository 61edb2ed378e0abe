package dev.graft.eval.metrics.spans;

import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.NoRowsException;

/** The share of tags that are right, for tags that mark no spans. */
public final class TagAccuracy implements Metric<TagPrediction> {
    private long right;
    private long tags;

    @Override
    public String name() {
        return "tag_accuracy";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(TagPrediction row) {
        for (int i = 0; i < row.labels().size(); i++) {
            right += row.labels().get(i).equals(row.predictions().get(i)) ? 1 : 0;
        }
        tags += row.labels().size();
    }

    @Override
    public double value() {
        if (tags == 0) {
            throw new NoRowsException(name());
        }
        return (double) right / tags;
    }
}
