package dev.graft.eval.compare;

import dev.graft.eval.metrics.Bootstrap.Interval;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * What came of a contender.
 *
 * @param metric of the score
 * @param searched the trials that chose its learning rate
 * @param footprint what it costs; null if that isn't measured
 * @param outcomes the trials of that rate, one for each seed; empty if there is no score
 */
public record Standing(
        String method,
        String metric,
        List<Outcome> searched,
        @Nullable Footprint footprint,
        List<Outcome> outcomes) {
    private static final int RESAMPLES = 1000;
    private static final double TAIL = 0.025;

    public Standing {
        searched = List.copyOf(searched);
        outcomes = List.copyOf(outcomes);
    }

    /**
     * The same trials scored on the test rows of another data set.
     *
     * @param name that the experiment gives it
     */
    public Standing on(String name) {
        return new Standing(
                method,
                metric,
                searched,
                footprint,
                outcomes.stream().map(outcome -> outcome.on(name)).toList());
    }

    public boolean scored() {
        return !outcomes.isEmpty();
    }

    /** The learning rate that was chosen. */
    public double rate() {
        return outcomes.get(0).trial().rate();
    }

    /** Whether the chosen rate is the lowest or the highest that was tried, so that one beyond it may be better. */
    public boolean atEdge() {
        double[] rates = searched.stream()
                .mapToDouble(outcome -> outcome.trial().rate())
                .sorted()
                .toArray();
        return rates.length > 1 && (rate() == rates[0] || rate() == rates[rates.length - 1]);
    }

    public long trainable() {
        return outcomes.get(0).trainable();
    }

    /** Of all parameters of base and adapter, embeddings included. */
    public double trainablePercent() {
        return 100.0 * trainable() / outcomes.get(0).total();
    }

    /** The mean of the seeds' scores on the test rows. */
    public double score() {
        return outcomes.stream()
                .mapToDouble(outcome -> outcome.test().metric(metric))
                .average()
                .orElse(Double.NaN);
    }

    /** The lowest and the highest score of a seed. */
    public Interval band() {
        double[] scores = outcomes.stream()
                .mapToDouble(outcome -> outcome.test().metric(metric))
                .sorted()
                .toArray();
        return new Interval(scores[0], scores[scores.length - 1]);
    }

    /** The 95 % interval of the score: test rows drawn again, and seeds. Null if the metric is no mean over rows. */
    public @Nullable Interval interval() {
        return interval(null);
    }

    /** The 95 % interval of how much its score is above another's, on the same rows. Null if the metric is no mean over rows. */
    public @Nullable Interval above(Standing other) {
        return interval(other);
    }

    private @Nullable Interval interval(@Nullable Standing than) {
        if (!isMean() || than != null && !than.isMean()) {
            return null;
        }
        SplittableRandom random = new SplittableRandom(7);
        int rows = outcomes.get(0).test().rows().size();
        double[] values = new double[RESAMPLES];
        for (int i = 0; i < RESAMPLES; i++) {
            int[] drawn = new int[rows];
            for (int row = 0; row < rows; row++) {
                drawn[row] = random.nextInt(rows);
            }
            values[i] = drawn(drawn, random) - (than == null ? 0 : than.drawn(drawn, random));
        }
        Arrays.sort(values);
        return new Interval(
                values[(int) Math.round(TAIL * (RESAMPLES - 1))],
                values[(int) Math.round((1 - TAIL) * (RESAMPLES - 1))]);
    }

    /** The score on drawn rows, each seed's drawn too. */
    private double drawn(int[] drawn, SplittableRandom random) {
        double sum = 0;
        for (int i = 0; i < outcomes.size(); i++) {
            sum += outcomes.get(random.nextInt(outcomes.size())).test().mean(drawn);
        }
        return sum / outcomes.size();
    }

    private boolean isMean() {
        return outcomes.get(0).test().isMean(metric);
    }

    /** The median seconds of a training step, over all of its trials. */
    public double step() {
        double[] steps = searched.stream().mapToDouble(Outcome::step).sorted().toArray();
        return steps[steps.length / 2];
    }
}
