package dev.graft.run.config;

import dev.graft.train.data.TrainingObjective.DpoLossType;
import org.jspecify.annotations.Nullable;

/** The options of preference objectives: DPO, ORPO, SimPO, CPO, KTO and rewards. */
public record PreferenceOptions(
        @ConfigOption(
                value =
                        "Strength of the pull towards the base (dpo, kto), weight of the odds ratio (orpo), or scale of likelihoods (simpo, cpo)",
                unset = "0.1; simpo: 2",
                example = "0.3",
                aliases = {"beta", "dpo_beta", "pref_beta"},
                above = 0)
        @Nullable
        Double beta,

        @ConfigOption(
                value = "Loss of dpo",
                unset = "sigmoid",
                example = "ipo",
                aliases = {"loss_type", "pref_loss"})
        @Nullable
        DpoLossType loss,

        @ConfigOption(
                value = "Reward by which good answers should be ahead (simpo)",
                unset = "0.5",
                example = "1",
                aliases = {"simpo_gamma"},
                min = 0)
        @Nullable
        Double gamma,

        @ConfigOption(
                value = "Weight of the chosen answers' own loss (cpo)",
                unset = "1",
                example = "0.5",
                aliases = {"cpo_alpha"},
                min = 0)
        @Nullable
        Double alpha,

        @ConfigOption(
                value = "Weight of good answers (kto)",
                unset = "1",
                example = "1.33",
                aliases = {"desirable_weight"},
                above = 0)
        @Nullable
        Double desirableWeight,

        @ConfigOption(
                value = "Weight of bad answers (kto)",
                unset = "1",
                example = "0.5",
                aliases = {"undesirable_weight"},
                above = 0)
        @Nullable
        Double undesirableWeight,

        @ConfigOption(
                value = "Weight of a term that draws rewards towards 0 (reward)",
                unset = "0",
                example = "0.01",
                aliases = {"center_rewards_coefficient"},
                min = 0)
        @Nullable
        Double centering) {}
