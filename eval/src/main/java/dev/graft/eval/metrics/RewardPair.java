package dev.graft.eval.metrics;

/**
 * The rewards of two answers.
 *
 * @param chosen NaN where there is only a bad answer
 * @param rejected NaN where there is only a good answer
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
