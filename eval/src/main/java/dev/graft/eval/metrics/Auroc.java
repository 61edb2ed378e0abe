package dev.graft.eval.metrics;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;

/**
 * The area under the ROC curve, equal to scikit-learn: of class 1 where there are two, else the mean over classes against
 * the rest ({@code auroc}) and over pairs of classes ({@code auroc_ovo}, Hand and Till 2001); with two classes also average
 * precision. NaN if a class has no row. Ranks need all rows, so this metric keeps its probabilities.
 */
public final class Auroc implements Metric<ProbabilityPrediction> {

    private final List<ProbabilityPrediction> rows = new ArrayList<>();

    @Override
    public String name() {
        return "auroc";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(ProbabilityPrediction row) {
        rows.add(row);
    }

    @Override
    public double value() {
        int classes = classes();
        if (classes == 2) {
            return roc(1, label -> true).area();
        }
        double sum = 0;
        for (int i = 0; i < classes; i++) {
            sum += roc(i, label -> true).area();
        }
        return sum / classes;
    }

    private double onePairAtATime() {
        int classes = classes();
        double sum = 0;
        for (int i = 0; i < classes; i++) {
            for (int j = 0; j < i; j++) {
                int a = i;
                int b = j;
                IntPredicate pair = label -> label == a || label == b;
                sum += (roc(a, pair).area() + roc(b, pair).area()) / 2;
            }
        }
        return sum / (classes * (classes - 1) / 2.0);
    }

    @Override
    public Map<String, Double> values() {
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("auroc", value());
        if (classes() == 2) {
            values.put("average_precision", roc(1, label -> true).averagePrecision());
        } else {
            values.put("auroc_ovo", onePairAtATime());
        }
        return values;
    }

    private int classes() {
        if (rows.isEmpty()) {
            throw new NoRowsException(name());
        }
        return rows.get(0).probabilities().length;
    }

    private Roc roc(int positive, IntPredicate among) {
        List<ProbabilityPrediction> some =
                rows.stream().filter(row -> among.test(row.label())).toList();
        double[] scores = new double[some.size()];
        boolean[] labels = new boolean[some.size()];
        for (int i = 0; i < scores.length; i++) {
            scores[i] = some.get(i).probabilities()[positive];
            labels[i] = some.get(i).label() == positive;
        }
        return Roc.of(scores, labels);
    }
}
