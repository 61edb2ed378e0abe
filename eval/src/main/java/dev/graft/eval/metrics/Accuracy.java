package dev.graft.eval.metrics;

/** The share of rows whose predicted class is the label. */
public final class Accuracy extends ShareOfRows<ClassPrediction> {

    @Override
    public String name() {
        return "accuracy";
    }

    @Override
    boolean isRight(ClassPrediction row) {
        return row.label() == row.prediction();
    }
}
