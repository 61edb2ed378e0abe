package dev.graft.eval.metrics;

import java.util.function.ToDoubleFunction;

/** The mean of a reward figure over the pairs of answers that have it. */
public final class MeanReward implements Metric<RewardPair> {
    private final String name;
    private final boolean higherIsBetter;
    private final ToDoubleFunction<RewardPair> figure;
    private double sum;
    private long rows;

    private MeanReward(String name, boolean higherIsBetter, ToDoubleFunction<RewardPair> figure) {
        this.name = name;
        this.higherIsBetter = higherIsBetter;
        this.figure = figure;
    }

    /** The share of pairs whose chosen answer has the larger reward, {@code reward_accuracy}. */
    public static MeanReward accuracy() {
        return new MeanReward("reward_accuracy", true, pair -> pair.chosen() > pair.rejected() ? 1 : 0);
    }

    /** Returns the mean lead of the chosen answer's reward, {@code reward_margin}. */
    public static MeanReward margin() {
        return new MeanReward("reward_margin", true, pair -> pair.chosen() - pair.rejected());
    }

    /** The reward of chosen answers, {@code reward_chosen}. */
    public static MeanReward chosen() {
        return new MeanReward("reward_chosen", true, RewardPair::chosen);
    }

    /** The reward of rejected answers, {@code reward_rejected}. */
    public static MeanReward rejected() {
        return new MeanReward("reward_rejected", false, RewardPair::rejected);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public boolean higherIsBetter() {
        return higherIsBetter;
    }

    @Override
    public void update(RewardPair row) {
        double value = figure.applyAsDouble(row);
        if (!Double.isNaN(value)) {
            sum += value;
            rows++;
        }
    }

    /** Returns the mean; NaN if no row has the figure. */
    @Override
    public double value() {
        return sum / rows;
    }
}
