package dev.graft.train.checkpoints;

import dev.graft.formats.InputException;
import org.jspecify.annotations.Nullable;

/**
 * The best value of a metric so far and how many evaluations have passed without a better one; immutable, so that a checkpoint can store
 * it. NaN is never best.
 *
 * <pre>{@code
 * BestScore best = BestScore.of("accuracy", true).observe(20, 0.71).observe(40, 0.69);
 * best.step();                       // 20
 * best.shouldStop(new EarlyStopping(3, 0));   // false: one evaluation without progress
 * }</pre>
 *
 * @param value null before the first evaluation with a number
 * @param step the optimiser step of the best value; -1 before there is one
 * @param stale evaluations since the last one that counted as progress
 * @param reference the value that progress is measured from: a gain below the minimum does not move it
 */
public record BestScore(
        String metric,
        boolean greaterIsBetter,
        @Nullable Double value,
        long step,
        int stale,
        @Nullable Double reference) {

    /**
     * The rule that stops a run early.
     *
     * @param patience evaluations without progress that end the run, at least 1
     * @param minimumGain the least gain that counts as progress, at least 0
     */
    public record EarlyStopping(int patience, double minimumGain) {
        public EarlyStopping {
            if (patience < 1) {
                throw new InputException("early_stopping_patience is " + patience + ", expected 1 or more");
            }
            if (!(minimumGain >= 0 && minimumGain < Double.POSITIVE_INFINITY)) {
                throw new InputException("early_stopping_threshold is " + minimumGain + ", expected 0 or more");
            }
        }
    }

    /** Creates the state before the first evaluation. */
    public static BestScore of(String metric, boolean greaterIsBetter) {
        return new BestScore(metric, greaterIsBetter, null, -1, 0, null);
    }

    /** Returns the state after one more evaluation, where any gain counts as progress. */
    public BestScore observe(long step, double value) {
        return observe(step, value, 0);
    }

    /**
     * Returns the state after one more evaluation.
     *
     * @param step the optimiser step of the evaluation
     * @param value the metric; NaN is never best
     * @param minimumGain the least gain over the reference that counts as progress
     */
    public BestScore observe(long step, double value, double minimumGain) {
        boolean best = !Double.isNaN(value) && (this.value == null || gain(value, this.value) > 0);
        boolean progress = !Double.isNaN(value) && (reference == null || gain(value, reference) > minimumGain);
        return new BestScore(
                metric,
                greaterIsBetter,
                best ? Double.valueOf(value) : this.value,
                best ? step : this.step,
                progress ? 0 : stale + 1,
                progress ? Double.valueOf(value) : reference);
    }

    /** Returns whether the run should end now. */
    public boolean shouldStop(EarlyStopping rule) {
        return stale >= rule.patience();
    }

    private double gain(double value, double than) {
        return greaterIsBetter ? value - than : than - value;
    }
}
