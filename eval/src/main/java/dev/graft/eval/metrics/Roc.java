package dev.graft.eval.metrics;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The ROC curve: how a score separates one class from the others at every threshold. Rows with equal scores are accepted together.
 *
 * @param falsePositiveRate from 0 to 1; the first point accepts nothing, then one point for each distinct score
 * @param truePositiveRate recall at the same points
 * @param precision at the same points; 1 where nothing is accepted
 */
public record Roc(List<Double> falsePositiveRate, List<Double> truePositiveRate, List<Double> precision) {

    private record Scored(double score, boolean positive) {}

    /**
     * Computes the curve.
     *
     * @param scores the score of each row, {@code [rows]}
     * @param positive whether each row is of the class, {@code [rows]}
     * @throws IllegalArgumentException if sizes differ
     */
    public static Roc of(double[] scores, boolean[] positive) {
        if (scores.length != positive.length) {
            throw new IllegalArgumentException(scores.length + " scores, but " + positive.length + " labels");
        }
        List<Scored> rows = new ArrayList<>();
        long positives = 0;
        for (int i = 0; i < scores.length; i++) {
            rows.add(new Scored(scores[i], positive[i]));
            positives += positive[i] ? 1 : 0;
        }
        rows.sort(Comparator.comparingDouble(Scored::score).reversed());
        List<Double> falses = new ArrayList<>(List.of(0.0));
        List<Double> trues = new ArrayList<>(List.of(0.0));
        List<Double> precisions = new ArrayList<>(List.of(1.0));
        double hits = 0;
        for (int i = 0; i < rows.size(); i++) {
            hits += rows.get(i).positive ? 1 : 0;
            if (i + 1 == rows.size() || rows.get(i + 1).score != rows.get(i).score) {
                trues.add(hits / positives);
                falses.add((i + 1 - hits) / (rows.size() - positives));
                precisions.add(hits / (i + 1));
            }
        }
        return new Roc(List.copyOf(falses), List.copyOf(trues), List.copyOf(precisions));
    }

    /**
     * Returns the area under the curve: the probability that a positive row scores higher than a negative one; NaN without rows of both.
     */
    public double area() {
        double area = 0;
        for (int i = 1; i < truePositiveRate.size(); i++) {
            double width = falsePositiveRate.get(i) - falsePositiveRate.get(i - 1);
            area += width * (truePositiveRate.get(i) + truePositiveRate.get(i - 1)) / 2;
        }
        return area;
    }

    /** Returns the average precision: the sum of precisions weighted by the increase in recall at each threshold. */
    public double averagePrecision() {
        double sum = 0;
        for (int i = 1; i < truePositiveRate.size(); i++) {
            sum += (truePositiveRate.get(i) - truePositiveRate.get(i - 1)) * precision.get(i);
        }
        return sum;
    }

    /** Returns the highest recall at a false positive rate of at most {@code limit}. */
    public double truePositiveRateAt(double limit) {
        double best = 0;
        for (int i = 0; i < truePositiveRate.size(); i++) {
            best = falsePositiveRate.get(i) <= limit ? truePositiveRate.get(i) : best;
        }
        return best;
    }
}
