package dev.graft.eval.metrics;

/** Pearson's correlation of targets and predictions, in [-1, 1]; NaN if either is constant. */
public final class Pearson implements Metric<ValuePrediction> {

    private final Moments moments = new Moments();

    @Override
    public String name() {
        return "pearson";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(ValuePrediction row) {
        moments.add(row.target(), row.prediction());
    }

    @Override
    public double value() {
        if (moments.count() == 0) {
            throw new NoRowsException(name());
        }
        return moments.correlation();
    }
}
