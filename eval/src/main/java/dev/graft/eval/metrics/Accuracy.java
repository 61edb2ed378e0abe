package dev.graft.eval.metrics;

/** The share of rows whose predicted class is the label. */
public final class Accuracy implements Metric<ClassPrediction> {

    private long correct;
    private long total;

    @Override
    public String name() {
        return "accuracy";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(ClassPrediction row) {
        total++;
        if (row.label() == row.prediction()) {
            correct++;
        }
    }

    @Override
    public double value() {
        if (total == 0) {
            throw new NoRowsException(name());
        }
        return (double) correct / total;
    }
}
