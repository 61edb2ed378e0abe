package dev.graft.cli.config;

import dev.graft.formats.InputException;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The options of the optimiser and of its learning rate. */
public record Optimisation(
        @Key(
                value = "Learning rate after the warm-up",
                unset = "1e-3 to classify, 2e-4 for causal",
                example = "2e-4",
                aliases = {"lr", "optimizer.lr"},
                above = 0)
        @Nullable
        Double learningRate,

        @Key(
                value = "How the learning rate goes on after the warm-up",
                byDefault = "linear",
                example = "cosine",
                aliases = {"lr_scheduler_type", "lr_schedule"})
        LrScheduler lrScheduler,

        @Key(
                value = "Options of the schedule",
                byDefault = "{}",
                example = "{num_cycles: 2}",
                aliases = {"scheduler_kwargs"})
        Map<String, Object> lrSchedulerKwargs,

        @Key(
                value = "Share of the steps for warming up",
                unset = "0.03, or none where warmup_steps is given",
                example = "0.1",
                min = 0,
                max = 1)
        @Nullable
        Double warmupRatio,

        @Key(
                value = "Steps for warming up",
                unset = "warmup_ratio decides",
                example = "20",
                aliases = {"lr_warmup_steps", "train.lr_warmup_steps", "num_warmup_steps"},
                min = 0)
        @Nullable
        Integer warmupSteps,

        @Key(value = "Optimiser", byDefault = "adamw", example = "sgd")
        Optimizer optimizer,

        @Key(
                value = "Decoupled weight decay of adamw, L2 penalty of sgd",
                byDefault = "0.0",
                example = "0.01",
                aliases = {"optimizer.weight_decay"},
                min = 0)
        double weightDecay,

        @Key(
                value = "Decay rates of adamw's two moments",
                unset = "[0.9, 0.999]",
                example = "[0.9, 0.95]",
                aliases = {"optimizer.betas"},
                min = 0,
                below = 1,
                size = 2)
        @Nullable
        List<Double> betas,

        @Key(
                value = "What adamw adds to the denominator",
                unset = "1e-8",
                example = "1e-6",
                aliases = {"adam_epsilon", "optimizer.eps"},
                above = 0)
        @Nullable
        Double eps,

        @Key(
                value = "Momentum of sgd",
                unset = "0",
                example = "0.9",
                aliases = {"optimizer.momentum"},
                min = 0,
                below = 1)
        @Nullable
        Double momentum,

        @Key(
                value = "Gradient norm above which gradients are scaled down; 0 for never",
                byDefault = "1.0",
                example = "0.3",
                aliases = {"max_norm", "clip_grad_norm"},
                min = 0)
        double maxGradNorm,

        @Key(
                value = "Share of the target probability spread over all classes or tokens",
                byDefault = "0.0",
                example = "0.1",
                aliases = {"label_smoothing_factor"},
                min = 0,
                below = 1)
        double labelSmoothing) {

    public enum Optimizer {
        ADAMW,
        SGD
    }

    public enum LrScheduler {
        LINEAR,
        COSINE,
        CONSTANT,
        CONSTANT_WITH_WARMUP,
        POLYNOMIAL,
        COSINE_WITH_RESTARTS,
        COSINE_WITH_MIN_LR,
        COSINE_WARMUP_WITH_MIN_LR,
        INVERSE_SQRT,
        WARMUP_STABLE_DECAY
    }

    public Optimisation {
        if (warmupRatio != null && warmupSteps != null) {
            throw new InputException("warmup_ratio and warmup_steps are both given; keep one");
        }
        boolean warmup = warmupSteps != null ? warmupSteps > 0 : warmupRatio != null && warmupRatio > 0;
        if (lrScheduler == LrScheduler.CONSTANT && warmup) {
            throw new InputException(
                    "lr_scheduler constant has no warm-up; write constant_with_warmup, or leave out warmup_ratio and warmup_steps");
        }
        if (optimizer == Optimizer.SGD && betas != null) {
            throw new InputException(
                    "betas belongs to optimizer adamw, but optimizer is sgd; remove it or use momentum");
        }
        if (optimizer == Optimizer.SGD && eps != null) {
            throw new InputException("eps belongs to optimizer adamw, but optimizer is sgd; remove it");
        }
        if (optimizer == Optimizer.ADAMW && momentum != null) {
            throw new InputException(
                    "momentum belongs to optimizer sgd, but optimizer is adamw; remove it or use betas");
        }
    }
}
