package dev.graft.eval.metrics;

import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.Map;

/** F1 over label sets as the value, with precision and recall as further figures: {@code micro_precision}, ... */
public final class MultiLabelF1 implements Metric<LabelSetPrediction> {

    private final Average average;
    private final long[] truePositives;
    private final long[] predicted;
    private final long[] support;
    private long rows;

    /** @throws IllegalArgumentException for {@link Average#BINARY}, which label sets do not have */
    public MultiLabelF1(int labels, Average average) {
        if (average == Average.BINARY) {
            throw new IllegalArgumentException("label sets have no binary average; use macro, micro or weighted");
        }
        if (labels < 1) {
            throw new IllegalArgumentException("multi-label F1 needs at least 1 label, got " + labels);
        }
        this.average = average;
        truePositives = new long[labels];
        predicted = new long[labels];
        support = new long[labels];
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
    public void update(LabelSetPrediction row) {
        row.requireAtMost(support.length);
        BitSet both = row.labels();
        both.and(row.predictions());
        both.stream().forEach(label -> truePositives[label]++);
        row.predictions().stream().forEach(label -> predicted[label]++);
        row.labels().stream().forEach(label -> support[label]++);
        rows++;
    }

    @Override
    public double value() {
        return scores().f1();
    }

    @Override
    public Map<String, Double> values() {
        ClassScores scores = scores();
        Map<String, Double> values = new LinkedHashMap<>();
        values.put(average.prefixed("precision"), scores.precision());
        values.put(average.prefixed("recall"), scores.recall());
        values.put(name(), scores.f1());
        return values;
    }

    private ClassScores scores() {
        if (rows == 0) {
            throw new NoRowsException(name());
        }
        return ClassScores.average(average, truePositives, predicted, support);
    }
}
