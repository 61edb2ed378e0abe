package dev.graft.eval.metrics;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * F1 as the value, with precision and recall as further figures: {@code macro_precision}, {@code macro_recall}, {@code macro_f1}; the names
 * of a binary average have no prefix.
 */
public final class PrecisionRecallF1 implements Metric<ClassPrediction> {

    private final ConfusionMatrix confusion;
    private final Average average;

    /** @throws IllegalArgumentException for {@link Average#BINARY} with other than two classes */
    public PrecisionRecallF1(int classes, Average average) {
        if (average == Average.BINARY && classes != 2) {
            throw new IllegalArgumentException(
                    "binary average needs 2 classes, got " + classes + "; use macro, micro or weighted");
        }
        confusion = new ConfusionMatrix(classes);
        this.average = average;
    }

    @Override
    public String name() {
        return average.prefixed("f1");
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
        return confusion.scores(average).f1();
    }

    @Override
    public Map<String, Double> values() {
        ClassScores scores = confusion.scores(average);
        Map<String, Double> values = new LinkedHashMap<>();
        values.put(average.prefixed("precision"), scores.precision());
        values.put(average.prefixed("recall"), scores.recall());
        values.put(name(), scores.f1());
        return values;
    }
}
