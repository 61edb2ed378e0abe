package dev.graft.train.bench;

import java.util.List;

/** Durations of training steps. */
public record Timings(List<Step> steps) {

    /**
     * One step.
     *
     * @param number the number of the step, from 1
     * @param loss the mean over the batch, before the step
     * @param gradientNorm the norm over all trained parameters
     * @param tokens the tokens of the batch, padding excluded
     */
    public record Step(int number, double loss, double gradientNorm, int tokens, double seconds) {}

    public Timings {
        steps = List.copyOf(steps);
    }

    /** Returns the timings without the first {@code warmup} steps, which also allocate memory and compile code. */
    public Timings after(int warmup) {
        return new Timings(steps.subList(warmup, steps.size()));
    }

    /** Returns the tokens of all steps, padding excluded. */
    public long tokens() {
        return steps.stream().mapToLong(Step::tokens).sum();
    }

    /** Returns all tokens divided by all seconds, so that long steps weigh more than short ones. */
    public double tokensPerSecond() {
        return tokens() / steps.stream().mapToDouble(Step::seconds).sum();
    }

    /** Returns the median of the steps' seconds. */
    public double medianSeconds() {
        double[] sorted = steps.stream().mapToDouble(Step::seconds).sorted().toArray();
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /** Returns the first step. */
    public Step first() {
        return steps.get(0);
    }

    /** Returns the last step. */
    public Step last() {
        return steps.get(steps.size() - 1);
    }
}
