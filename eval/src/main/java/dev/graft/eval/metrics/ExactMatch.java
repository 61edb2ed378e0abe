package dev.graft.eval.metrics;

/** The share of rows whose predicted label set equals the true one (subset accuracy). */
public final class ExactMatch extends ShareOfRows<LabelSetPrediction> {

    @Override
    public String name() {
        return "exact_match";
    }

    @Override
    boolean isRight(LabelSetPrediction row) {
        return row.labels().equals(row.predictions());
    }
}
