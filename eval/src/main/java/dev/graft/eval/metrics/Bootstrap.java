package dev.graft.eval.metrics;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Supplier;

/**
 * The percentile bootstrap (Efron 1979): a metric's confidence interval from rows drawn again with replacement.
 *
 * <pre>{@code
 * Bootstrap.Interval interval = new Bootstrap(1000, 0.95, 7).interval(rows, Accuracy::new);
 * }</pre>
 *
 * @param resamples how many times the rows are drawn
 * @param confidence the share of resamples inside the interval, in (0, 1)
 * @param seed equal seeds give equal intervals
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

    /** The bounds, both included; NaN where the metric is undefined for a resample. */
    public record Interval(double low, double high) {}

    /** @throws IllegalArgumentException if there are no rows */
    public <O> Interval interval(List<O> rows, Supplier<? extends Metric<O>> metric) {
        if (rows.isEmpty()) {
            throw new IllegalArgumentException("no rows to draw from");
        }
        SplittableRandom random = new SplittableRandom(seed);
        double[] scores = new double[resamples];
        for (int i = 0; i < resamples; i++) {
            Metric<O> fresh = metric.get();
            for (int j = 0; j < rows.size(); j++) {
                fresh.update(rows.get(random.nextInt(rows.size())));
            }
            scores[i] = fresh.value();
        }
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
