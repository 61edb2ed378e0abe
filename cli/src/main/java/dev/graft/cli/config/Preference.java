package dev.graft.cli.config;

import org.jspecify.annotations.Nullable;

/** The options of learning from preferences. */
public record Preference(
        @Key(
                value = "How much is kept of the base (dpo, kto), or what the odds ratio weighs (orpo)",
                unset = "0.1",
                example = "0.3",
                aliases = {"beta", "dpo_beta", "pref_beta"},
                above = 0)
        @Nullable
        Double beta,

        @Key(
                value = "Loss of dpo",
                unset = "sigmoid",
                example = "ipo",
                aliases = {"loss_type", "pref_loss"})
        @Nullable
        Form loss,

        @Key(
                value = "Weight of good answers (kto)",
                unset = "1",
                example = "1.33",
                aliases = {"desirable_weight"},
                above = 0)
        @Nullable
        Double desirableWeight,

        @Key(
                value = "Weight of bad answers (kto)",
                unset = "1",
                example = "0.5",
                aliases = {"undesirable_weight"},
                above = 0)
        @Nullable
        Double undesirableWeight,

        @Key(
                value = "Weight of a term that draws rewards towards 0 (reward)",
                unset = "0",
                example = "0.01",
                aliases = {"center_rewards_coefficient"},
                min = 0)
        @Nullable
        Double centering) {

    public enum Form {
        SIGMOID,
        HINGE,
        IPO
    }
}
