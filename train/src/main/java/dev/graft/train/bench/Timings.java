package dev.graft.train.bench;

import java.util.List;

/** What steps of training took. */
public record Timings(List<Step> steps) {

    /**
     * One step.
     *
     * @param number from 1
     * @param loss mean over the batch, before the step
     * @param gradientNorm of all trained parameters
     * @param tokens padding excluded
     */
    public record Step(int number, double loss, double gradientNorm, int tokens, double seconds) {}

    public Timings {
        steps = List.copyOf(steps);
    }

    /** Without the first steps, in which memory is taken and code compiled. */
    public Timings after(int warmup) {
        return new Timings(steps.subList(warmup, steps.size()));
    }

    /** All tokens, padding excluded. */
    public long tokens() {
        return steps.stream().mapToLong(Step::tokens).sum();
    }

    /** Tokens by time: long steps weigh more than short ones. */
    public double tokensPerSecond() {
        return tokens() / steps.stream().mapToDouble(Step::seconds).sum();
    }

    /** The median of the steps' seconds. */
    public double medianSeconds() {
        double[] sorted = steps.stream().mapToDouble(Step::seconds).sorted().toArray();
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /** The first step. */
    public Step first() {
        return steps.get(0);
    }

    /** The last step. */
    public Step last() {
        return steps.get(steps.size() - 1);
    }
}
