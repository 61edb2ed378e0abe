package dev.graft.eval.metrics;

/** The Matthews correlation coefficient, see {@link ConfusionMatrix#matthews()}. */
public final class Matthews implements Metric<ClassPrediction> {

    private final ConfusionMatrix confusion;

    public Matthews(int classes) {
        confusion = new ConfusionMatrix(classes);
    }

    @Override
    public String name() {
        return "matthews";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(ClassPrediction row) {
        confusion.add(row);
    }

    @Override
    public double value() {
        return confusion.matthews();
    }
}
