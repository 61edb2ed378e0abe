package dev.graft.run.config;

import dev.graft.formats.InputException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The options of the optimiser and the learning rate. */
public record OptimizerOptions(
        @ConfigOption(
                value = "Learning rate after the warm-up",
                unset = "1e-3 to classify, 2e-4 for causal, 5e-5 for preferences",
                example = "2e-4",
                aliases = {"lr", "optimizer.lr"},
                above = 0)
        @Nullable
        Double learningRate,

        @ConfigOption(
                value = "Learning rate of a head and of other modules that are trained whole",
                unset = "learning_rate if that is given, else LoRA's",
                example = "1e-3",
                min = 0)
        @Nullable
        Double headLearningRate,

        @ConfigOption(
                value = "How the learning rate goes on after the warm-up",
                byDefault = "linear",
                example = "cosine",
                aliases = {"lr_scheduler_type", "lr_schedule"})
        LrScheduler lrScheduler,

        @ConfigOption(
                value = "Options of the schedule",
                byDefault = "{}",
                example = "{num_cycles: 2}",
                aliases = {"scheduler_kwargs"})
        Map<String, Object> lrSchedulerKwargs,

        @ConfigOption(
                value = "Share of the steps for warming up",
                unset = "0.03, or none where warmup_steps is given",
                example = "0.1",
                min = 0,
                max = 1)
        @Nullable
        Double warmupRatio,

        @ConfigOption(
                value = "Steps for warming up",
                unset = "warmup_ratio decides",
                example = "20",
                aliases = {"lr_warmup_steps", "train.lr_warmup_steps", "num_warmup_steps"},
                min = 0)
        @Nullable
        Integer warmupSteps,

        @ConfigOption(value = "Optimiser", byDefault = "adamw", example = "lion")
        Optimizer optimizer,

        @ConfigOption(
                value = "Options of the optimiser, such as relative_step of adafactor or max_iter of lbfgs",
                byDefault = "{}",
                example = "{scale_parameter: true}")
        Map<String, Object> optimizerKwargs,

        @ConfigOption(
                value = "Learning rates and weight decays of parameters whose name matches an expression",
                byDefault = "{}",
                example = "{\"lora_B\": {learning_rate: 3e-3, weight_decay: 0.0}}")
        Map<String, Object> parameterGroups,

        @ConfigOption(
                value = "Decoupled weight decay, for sgd an L2 penalty",
                byDefault = "0.0",
                example = "0.01",
                aliases = {"optimizer.weight_decay"},
                min = 0)
        double weightDecay,

        @ConfigOption(
                value = "Decay rates of the two moments of adamw and its kin, or of lion",
                unset = "[0.9, 0.999], for lion [0.9, 0.99]",
                example = "[0.9, 0.95]",
                aliases = {"optimizer.betas"},
                min = 0,
                below = 1,
                size = 2)
        @Nullable
        List<Double> betas,

        @ConfigOption(
                value = "Term that adamw and its kin add to the denominator",
                unset = "1e-8",
                example = "1e-6",
                aliases = {"adam_epsilon", "optimizer.eps"},
                above = 0)
        @Nullable
        Double eps,

        @ConfigOption(
                value = "Momentum of sgd",
                unset = "0",
                example = "0.9",
                aliases = {"optimizer.momentum"},
                min = 0,
                below = 1)
        @Nullable
        Double momentum,

        @ConfigOption(
                value = "Gradient norm above which gradients are scaled down; 0 for never",
                unset = "1, for lbfgs 0",
                example = "0.3",
                aliases = {"max_norm", "clip_grad_norm"},
                min = 0)
        @Nullable
        Double maxGradNorm,

        @ConfigOption(
                value = "How often the median of recent losses a loss may be: steps above it, and above the first"
                        + " loss, are skipped, and three in a row stop the run; 0 for never",
                byDefault = "10.0",
                example = "4",
                min = 0)
        double maxLossSpike,

        @ConfigOption(
                value = "Decay of a moving average of the adapter, which is then evaluated and saved in its place",
                unset = "the adapter as it is",
                example = "0.99",
                above = 0,
                below = 1)
        @Nullable
        Double emaDecay,

        @ConfigOption(
                value = "Share of the target probability spread over all classes or tokens",
                byDefault = "0.0",
                example = "0.1",
                aliases = {"label_smoothing_factor"},
                min = 0,
                below = 1)
        double labelSmoothing) {

    public enum Optimizer {
        ADAMW,
        ADAMW_8BIT,
        RIEMANNIAN_ADAMW,
        ADAFACTOR,
        LION,
        LBFGS,
        SGD;

        private boolean isAdam() {
            return this == ADAMW || this == ADAMW_8BIT || this == RIEMANNIAN_ADAMW;
        }

        /** Returns the name that options give it. */
        public String title() {
            return name().toLowerCase(Locale.ROOT);
        }
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
        WARMUP_STABLE_DECAY,
        REDUCE_LR_ON_PLATEAU;

        /** Returns whether it may start with a warm-up. */
        public boolean warmsUp() {
            return this != CONSTANT && this != REDUCE_LR_ON_PLATEAU;
        }

        /** Returns the name that options give it. */
        public String title() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    public OptimizerOptions {
        if (warmupRatio != null && warmupSteps != null) {
            throw new InputException("warmup_ratio and warmup_steps are both given; keep one");
        }
        boolean warmup = warmupSteps != null ? warmupSteps > 0 : warmupRatio != null && warmupRatio > 0;
        if (!lrScheduler.warmsUp() && warmup) {
            throw new InputException("lr_scheduler " + lrScheduler.title() + " has no warm-up; "
                    + (lrScheduler == LrScheduler.CONSTANT ? "write constant_with_warmup, or " : "")
                    + "leave out warmup_ratio and warmup_steps");
        }
        refuse("betas", betas, optimizer.isAdam() || optimizer == Optimizer.LION, "adamw, its kin and lion", optimizer);
        refuse("eps", eps, optimizer.isAdam(), "adamw and its kin", optimizer);
        refuse("momentum", momentum, optimizer == Optimizer.SGD, "sgd", optimizer);
        if (optimizer == Optimizer.LBFGS && weightDecay != 0) {
            throw new InputException("weight_decay is " + weightDecay + ", but optimizer lbfgs has none; leave it out");
        }
    }

    private static void refuse(
            String option, @Nullable Object value, boolean known, String owners, Optimizer optimizer) {
        if (value != null && !known) {
            throw new InputException(option + " belongs to optimizer " + owners + ", but optimizer is "
                    + optimizer.title() + "; remove it");
        }
    }
}
