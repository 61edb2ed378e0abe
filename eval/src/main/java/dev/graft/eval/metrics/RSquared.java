package dev.graft.eval.metrics;

/**
 * The coefficient of determination, 1 - Σ(y - ŷ)² / Σ(y - mean y)², at most 1. A constant target has the value 1 if it is
 * predicted exactly, else 0, as in scikit-learn; a single row has the value NaN.
 */
public final class RSquared implements Metric<ValuePrediction> {

    private final Moments moments = new Moments();
    private double residual;

    @Override
    public String name() {
        return "r2";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(ValuePrediction row) {
        double error = row.target() - row.prediction();
        residual += error * error;
        moments.add(row.target(), row.prediction());
    }

    @Override
    public double value() {
        if (moments.count() == 0) {
            throw new NoRowsException(name());
        }
        if (moments.count() == 1) {
            return Double.NaN;
        }
        if (residual == 0) {
            return 1;
        }
        return moments.squaresX() == 0 ? 0 : 1 - residual / moments.squaresX();
    }
}
