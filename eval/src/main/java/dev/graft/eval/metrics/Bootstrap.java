package dev.graft.eval.metrics;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * The percentile bootstrap (Efron 1979): a metric's confidence interval from rows drawn again with replacement.
 *
 * <pre>{@code
 * Bootstrap.Interval interval = new Bootstrap(1000, 0.95, 7).interval(rows, Accuracy::new);
 * }</pre>
 *
 * @param resamples how many times the rows are drawn
 * @param confidence the share of resamples inside the interval, in (0, 1)
 * @param seed the random seed; equal seeds yield equal intervals
 */
public record Bootstrap(int resamples, double confidence, long seed) {

    public Bootstrap {
        if (resamples < 1) {
            throw new IllegalArgumentException("resamples is " + resamples + ", expected at least 1");
        }
        if (!(confidence > 0 && confidence < 1)) {
            throw new IllegalArgumentException("confidence is " + confidence + ", expected a number between 0 and 1");
        }
    }

    /** The bounds of an interval, both included; NaN if the metric is undefined for a resample. */
    public record Interval(double low, double high) {}

    /** @throws IllegalArgumentException if there are no rows */
    public <O> Interval interval(List<O> rows, Supplier<? extends Metric<O>> metric) {
        if (rows.isEmpty()) {
            throw new IllegalArgumentException("no rows to draw from");
        }
        SplittableRandom random = new SplittableRandom(seed);
        double[] scores = new double[resamples];
        int[] drawn = new int[rows.size()];
        for (int i = 0; i < resamples; i++) {
            for (int j = 0; j < drawn.length; j++) {
                drawn[j] = random.nextInt(drawn.length);
            }
            scores[i] = score(rows, drawn, metric);
        }
        return interval(scores);
    }

    /**
     * The advantage of the first of two models, from the same rows drawn for both (Efron and Tibshirani 1993).
     *
     * @param difference the first model's score minus the second's on all rows
     * @param interval of that difference
     * @param pValue the two-sided share of resamples in which the difference has the other sign or is none
     */
    public record Difference(double difference, Interval interval, double pValue) {}

    /**
     * Compares two models on the same rows, in the same order.
     *
     * @throws IllegalArgumentException if there are no rows, or the two lists differ in length
     */
    public <O> Difference difference(List<O> first, List<O> second, Supplier<? extends Metric<O>> metric) {
        if (first.isEmpty() || first.size() != second.size()) {
            throw new IllegalArgumentException("a paired comparison needs the same rows of both models, got "
                    + first.size() + " and " + second.size());
        }
        SplittableRandom random = new SplittableRandom(seed);
        double[] differences = new double[resamples];
        int[] drawn = new int[first.size()];
        int above = 0;
        int below = 0;
        for (int i = 0; i < resamples; i++) {
            for (int j = 0; j < drawn.length; j++) {
                drawn[j] = random.nextInt(drawn.length);
            }
            differences[i] = score(first, drawn, metric) - score(second, drawn, metric);
            above += differences[i] >= 0 ? 1 : 0;
            below += differences[i] <= 0 ? 1 : 0;
        }
        int[] all = IntStream.range(0, drawn.length).toArray();
        double pValue = Math.min(1, 2.0 * Math.min(above, below) / resamples);
        return new Difference(score(first, all, metric) - score(second, all, metric), interval(differences), pValue);
    }

    private static <O> double score(List<O> rows, int[] which, Supplier<? extends Metric<O>> metric) {
        Metric<O> fresh = metric.get();
        for (int row : which) {
            fresh.update(rows.get(row));
        }
        return fresh.value();
    }

    private Interval interval(double[] scores) {
        Arrays.sort(scores);
        if (Double.isNaN(scores[resamples - 1])) {
            return new Interval(Double.NaN, Double.NaN);
        }
        double tail = (1 - confidence) / 2;
        return new Interval(quantile(scores, tail), quantile(scores, 1 - tail));
    }

    private static double quantile(double[] sorted, double share) {
        double position = share * (sorted.length - 1);
        int below = (int) position;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
    }
}
