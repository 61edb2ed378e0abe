package dev.graft.eval.compare;

import dev.graft.eval.metrics.Bootstrap.Interval;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * The result of a method in a comparison.
 *
 * @param metric the metric of the score
 * @param searchOutcomes the trials that selected its learning rate
 * @param footprint its costs; null if they aren't measured
 * @param outcomes the trials at that rate, one for each seed; empty if there is no score
 */
@RecordBuilder
public record MethodResult(
        String method,
        String metric,
        List<TrialOutcome> searchOutcomes,
        @Nullable Footprint footprint,
        List<TrialOutcome> outcomes)
        implements MethodResultBuilder.With {
    private static final int RESAMPLES = 1000;
    private static final double TAIL = 0.025;

    public MethodResult {
        searchOutcomes = List.copyOf(searchOutcomes);
        outcomes = List.copyOf(outcomes);
    }

    /**
     * Returns the result of these trials on the test rows of another data set.
     *
     * @param name the name of the data set in the experiment
     */
    public MethodResult on(String name) {
        return withOutcomes(outcomes.stream().map(outcome -> outcome.on(name)).toList());
    }

    public boolean hasScore() {
        return !outcomes.isEmpty();
    }

    /** Returns the selected learning rate. */
    public double learningRate() {
        return outcomes.get(0).trial().learningRate();
    }

    /**
     * Returns whether the selected rate is the lowest or the highest of the search, so that a rate beyond it may be better.
     */
    public boolean isLearningRateAtEdge() {
        double[] rates = searchOutcomes.stream()
                .mapToDouble(outcome -> outcome.trial().learningRate())
                .sorted()
                .toArray();
        return rates.length > 1 && (learningRate() == rates[0] || learningRate() == rates[rates.length - 1]);
    }

    public long trainable() {
        return outcomes.get(0).trainable();
    }

    /** Returns the trained share of all parameters of base and adapter, embeddings included, in percent. */
    public double trainablePercent() {
        return 100.0 * trainable() / outcomes.get(0).total();
    }

    /** Returns the mean of the seeds' scores on the test rows. */
    public double score() {
        return outcomes.stream()
                .mapToDouble(outcome -> outcome.test().metric(metric))
                .average()
                .orElse(Double.NaN);
    }

    /** Returns the lowest and the highest score of the seeds. */
    public Interval seedRange() {
        double[] scores = outcomes.stream()
                .mapToDouble(outcome -> outcome.test().metric(metric))
                .sorted()
                .toArray();
        return new Interval(scores[0], scores[scores.length - 1]);
    }

    /**
     * Returns the 95 % bootstrap interval of the score over test rows and seeds; null if the metric is no mean over rows.
     */
    public @Nullable Interval interval() {
        return interval(null);
    }

    /**
     * Returns the 95 % interval of the difference to another method's score on the same rows; null if the metric is no mean over rows.
     */
    public @Nullable Interval differenceTo(MethodResult other) {
        return interval(other);
    }

    private @Nullable Interval interval(@Nullable MethodResult than) {
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
            values[i] = resampledScore(drawn, random) - (than == null ? 0 : than.resampledScore(drawn, random));
        }
        Arrays.sort(values);
        return new Interval(
                values[(int) Math.round(TAIL * (RESAMPLES - 1))],
                values[(int) Math.round((1 - TAIL) * (RESAMPLES - 1))]);
    }

    /** The score on drawn rows, each seed's drawn too. */
    private double resampledScore(int[] drawn, SplittableRandom random) {
        double sum = 0;
        for (int i = 0; i < outcomes.size(); i++) {
            sum += outcomes.get(random.nextInt(outcomes.size())).test().mean(drawn);
        }
        return sum / outcomes.size();
    }

    private boolean isMean() {
        return outcomes.get(0).test().isMean(metric);
    }

    /** Returns the median seconds of a training step over all its trials. */
    public double stepSeconds() {
        double[] steps = searchOutcomes.stream()
                .mapToDouble(TrialOutcome::stepSeconds)
                .sorted()
                .toArray();
        return steps[steps.length / 2];
    }
}
