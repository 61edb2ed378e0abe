package dev.graft.eval.metrics;

/**
 * The rewards of two answers.
 *
 * @param chosen the reward of the chosen or good answer; NaN if there is only a bad one
 * @param rejected the reward of the rejected or bad answer; NaN if there is only a good one
 */
public record RewardPair(double chosen, double rejected) {
    public RewardPair {
        if (Double.isInfinite(chosen)
                || Double.isInfinite(rejected)
                || Double.isNaN(chosen) && Double.isNaN(rejected)) {
            throw new IllegalArgumentException("the rewards are " + chosen + " and " + rejected);
        }
    }
}
