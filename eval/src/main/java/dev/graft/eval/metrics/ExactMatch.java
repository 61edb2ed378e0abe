package dev.graft.eval.metrics;

/** The share of rows whose predicted label set equals the true one (subset accuracy). */
public final class ExactMatch implements Metric<LabelSetPrediction> {

    private long equal;
    private long total;

    @Override
    public String name() {
        return "exact_match";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(LabelSetPrediction row) {
        total++;
        if (row.labels().equals(row.predictions())) {
            equal++;
        }
    }

    @Override
    public double value() {
        if (total == 0) {
            throw new NoRowsException(name());
        }
        return (double) equal / total;
    }
}
