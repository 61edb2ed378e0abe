package dev.graft.train;

import dev.graft.formats.InputException;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.train.BestScore.EarlyStopping;
import dev.graft.train.data.Order;
import dev.graft.train.optim.AdamW;
import dev.graft.train.optim.Lbfgs;
import dev.graft.train.optim.Optimizer;
import dev.graft.train.schedules.Schedule;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How a run trains.
 *
 * <pre>{@code
 * TrainSettings settings = TrainSettings.DEFAULT.withLearningRate(1e-3).withBatchSize(32).withEpochs(4);
 * }</pre>
 *
 * @param seed of the order of the rows and of dropout
 */
public record TrainSettings(
        Optimization optimization,
        Batching batching,
        Limits limits,
        Evaluating evaluating,
        Saving saving,
        Economy economy,
        long seed) {

    /** AdamW at 2e-4 falling linearly to 0, batches of 8 for 3 epochs, an evaluation and a checkpoint each epoch. */
    public static final TrainSettings DEFAULT = new TrainSettings(
            new Optimization(AdamW.Settings.DEFAULT, 2e-4, LearningRate.LINEAR, 1, 0),
            new Batching(8, 1, Order.LENGTH_GROUPED, true),
            new Limits(3, 0, null),
            new Evaluating(Every.EPOCH, "loss", false, true, null),
            new Saving(Every.EPOCH, 2),
            Economy.NONE,
            42);

    /**
     * How a step changes parameters.
     *
     * @param learningRate the base rate, at most 100
     * @param headRate that of modules trained whole beside a method, in place of the base rate; null for the base rate
     * @param maxGradientNorm to which gradients are scaled down; 0 for never
     * @param labelSmoothing the share of a target that is spread over all classes
     * @param groups parameters that learn otherwise
     * @param averaging decay of the moving average of the adapter, which is then what is evaluated and saved; null for none
     * @param lossSpike the multiple of the median of recent losses above which a step is skipped, and three in a row end the run; 0 for never
     */
    public record Optimization(
            Optimizer.Settings optimizer,
            double learningRate,
            @Nullable Double headRate,
            LearningRate schedule,
            double maxGradientNorm,
            double labelSmoothing,
            List<ParameterGroup> groups,
            @Nullable Double averaging,
            double lossSpike) {
        private static final double HIGHEST_RATE = 100;
        private static final double USUAL_SPIKE = 10;

        /** One group, no averaging, and a guard against losses ten times those before. */
        public Optimization(
                Optimizer.Settings optimizer,
                double learningRate,
                LearningRate schedule,
                double maxGradientNorm,
                double labelSmoothing) {
            this(
                    optimizer,
                    learningRate,
                    null,
                    schedule,
                    maxGradientNorm,
                    labelSmoothing,
                    List.of(),
                    null,
                    USUAL_SPIKE);
        }

        public Optimization {
            groups = List.copyOf(groups);
            if (averaging != null && !(averaging > 0 && averaging < 1)) {
                throw new InputException("ema_decay is " + averaging + ", expected above 0 and below 1");
            }
            if (!(lossSpike == 0 || lossSpike > 1)) {
                throw new InputException("max_loss_spike is " + lossSpike + ", expected above 1, or 0 for never");
            }
            if (!(learningRate > 0 && learningRate <= HIGHEST_RATE)) {
                throw new InputException(
                        "learning_rate is " + learningRate + ", expected above 0 and at most " + HIGHEST_RATE);
            }
            if (headRate != null && !(headRate >= 0 && headRate <= HIGHEST_RATE)) {
                throw new InputException(
                        "head_learning_rate is " + headRate + ", expected 0 or more and at most " + HIGHEST_RATE);
            }
            if (!(maxGradientNorm >= 0 && maxGradientNorm < Double.POSITIVE_INFINITY)) {
                throw new InputException(
                        "max_grad_norm is " + maxGradientNorm + ", expected a number above 0, or 0 for no clipping");
            }
            if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
                throw new InputException("label_smoothing is " + labelSmoothing + ", expected 0 or more and below 1");
            }
            if (optimizer instanceof Lbfgs.Settings && (!groups.isEmpty() || maxGradientNorm > 0)) {
                throw new InputException(
                        "optimizer lbfgs builds on exact gradients and one rate for all parameters, but "
                                + (groups.isEmpty()
                                        ? "max_grad_norm is " + maxGradientNorm + "; set it to 0"
                                        : "parameter_groups are given; leave them out"));
            }
        }

        public Optimization withLearningRate(double rate) {
            return new Optimization(
                    optimizer, rate, headRate, schedule, maxGradientNorm, labelSmoothing, groups, averaging, lossSpike);
        }

        public Optimization withHeadRate(@Nullable Double rate) {
            return new Optimization(
                    optimizer,
                    learningRate,
                    rate,
                    schedule,
                    maxGradientNorm,
                    labelSmoothing,
                    groups,
                    averaging,
                    lossSpike);
        }

        public Optimization with(Optimizer.Settings other) {
            return new Optimization(
                    other,
                    learningRate,
                    headRate,
                    schedule,
                    maxGradientNorm,
                    labelSmoothing,
                    groups,
                    averaging,
                    lossSpike);
        }

        public Optimization withGroups(List<ParameterGroup> others) {
            return new Optimization(
                    optimizer,
                    learningRate,
                    headRate,
                    schedule,
                    maxGradientNorm,
                    labelSmoothing,
                    others,
                    averaging,
                    lossSpike);
        }

        public Optimization withAveraging(@Nullable Double decay) {
            return new Optimization(
                    optimizer,
                    learningRate,
                    headRate,
                    schedule,
                    maxGradientNorm,
                    labelSmoothing,
                    groups,
                    decay,
                    lossSpike);
        }

        public Optimization withLossSpike(double factor) {
            return new Optimization(
                    optimizer,
                    learningRate,
                    headRate,
                    schedule,
                    maxGradientNorm,
                    labelSmoothing,
                    groups,
                    averaging,
                    factor);
        }
    }

    /**
     * How the learning rate moves; names and options are those of {@link dev.graft.train.schedules.Schedule#named}.
     *
     * @param warmupSteps optimiser steps
     * @param warmupRatio share of all steps, in place of a number of them
     */
    public record LearningRate(String schedule, Map<String, ?> options, int warmupSteps, double warmupRatio) {
        /** Linearly to 0, without warm-up. */
        public static final LearningRate LINEAR = new LearningRate("linear", Map.of(), 0, 0);

        public LearningRate {
            options = Map.copyOf(options);
            if (warmupSteps != 0 && warmupRatio != 0) {
                throw new InputException(
                        "warmup_steps is " + warmupSteps + " and warmup_ratio is " + warmupRatio + ": set one of them");
            }
        }

        Schedule over(int steps, int warmup, double learningRate) {
            return Schedule.named(schedule, new Schedule.Span(warmup, steps, learningRate), options);
        }
    }

    /**
     * What a step sees: {@code size · accumulation} rows.
     *
     * @param size rows that go through the model at once
     * @param accumulation batches in an optimiser step; the result is that of one large batch, fewer at the end of an epoch
     * @param longestFirst whether the batch that needs most memory comes first
     */
    public record Batching(int size, int accumulation, Order order, boolean longestFirst) {
        public Batching {
            if (size < 1) {
                throw new InputException("batch_size is " + size + ", expected 1 or more");
            }
            if (accumulation < 1) {
                throw new InputException("gradient_accumulation_steps is " + accumulation + ", expected 1 or more");
            }
        }

        public Batching withSize(int rows) {
            return new Batching(rows, accumulation, order, longestFirst);
        }
    }

    /**
     * When a run ends.
     *
     * @param epochs may be a fraction
     * @param maxSteps optimiser steps, in place of epochs where it isn't 0
     * @param maxTime the step during which this passes is the last; null for no limit
     */
    public record Limits(
            double epochs, long maxSteps, @Nullable Duration maxTime) {
        public Limits {
            if (maxSteps < 0) {
                throw new InputException("max_steps is " + maxSteps + ", expected 1 or more, or 0 for epochs");
            }
            if (maxSteps == 0 && !(epochs > 0 && epochs <= 1_000_000)) {
                throw new InputException("epochs is " + epochs + ", expected above 0");
            }
            if (maxTime != null && (maxTime.isNegative() || maxTime.isZero())) {
                throw new InputException("max_time is " + maxTime + ", expected above 0");
            }
        }
    }

    /**
     * When to evaluate, and what for; there is always an evaluation at the end.
     *
     * @param metric the one that tells which step is the best, {@code loss} or one that the evaluation gives
     * @param loadBest whether the run ends with the parameters of the best step in place of the last
     * @param earlyStopping null for never
     */
    public record Evaluating(
            Every every,
            String metric,
            boolean greaterIsBetter,
            boolean loadBest,
            @Nullable EarlyStopping earlyStopping) {}

    /**
     * When to save a checkpoint; there is one at the end too, unless {@link Every#NEVER}.
     *
     * @param totalLimit how many to keep, 0 for all; the best one is kept in any case
     */
    public record Saving(Every every, int totalLimit) {
        public Saving {
            if (totalLimit < 0) {
                throw new InputException("save_total_limit is " + totalLimit + ", expected 0 (all) or more");
            }
        }
    }

    /**
     * How a step spares memory and time.
     *
     * @param checkpointing whether of each layer only the input is kept, and the layer runs again in the backward pass
     * @param freezePercentile of the changes of gradients, at or below which leading layers are frozen (AutoFreeze); 0 for never
     * @param freezeSteps between two looks at the changes; 0 for a quarter of a pass over the rows
     * @param dropBackward the share of the backward pass that is left out at random (DropBP); 0 for none
     * @param cacheBytes memory for the outputs of layers below those that learn, beyond which they go to a file; -1 to run those layers
     *     in every step
     * @param trims whether the system gets back what is free between the batches of a step, and what was compiled for their lengths is forgotten
     */
    public record Economy(
            boolean checkpointing,
            double freezePercentile,
            int freezeSteps,
            double dropBackward,
            long cacheBytes,
            boolean trims) {
        /** Everything is kept and done. */
        public static final Economy NONE = new Economy(false);

        /** @throws InputException naming the setting that is out of range */
        public Economy {
            if (!(freezePercentile >= 0 && freezePercentile <= 100)) {
                throw new InputException("auto_freeze is " + freezePercentile + ", expected above 0 and at most 100");
            }
            if (freezeSteps < 0) {
                throw new InputException("auto_freeze_steps is " + freezeSteps + ", expected 1 or more");
            }
            if (!(dropBackward >= 0 && dropBackward <= 0.9)) {
                throw new InputException("drop_backward is " + dropBackward + ", expected 0 to 0.9");
            }
        }

        /** Of each layer everything is kept, or the input alone; nothing else is spared. */
        public Economy(boolean checkpointing) {
            this(checkpointing, 0, 0, 0, -1, false);
        }

        /** Without a cache, and free memory stays for the next batch. */
        public Economy(boolean checkpointing, double freezePercentile, int freezeSteps, double dropBackward) {
            this(checkpointing, freezePercentile, freezeSteps, dropBackward, -1, false);
        }

        /** With gradient checkpointing. */
        public Economy checkpointed() {
            return new Economy(true, freezePercentile, freezeSteps, dropBackward, cacheBytes, trims);
        }

        /** The pass of a training step. */
        public Pass pass(Hooks hooks) {
            Pass pass = Pass.training(hooks);
            return checkpointing ? pass.checkpointed() : pass;
        }
    }

    /**
     * A rhythm of optimiser steps.
     *
     * @param steps how many; 0 for none
     * @param epochs whether the end of each epoch counts
     */
    public record Every(long steps, boolean epochs) {
        public static final Every NEVER = new Every(0, false);
        public static final Every EPOCH = new Every(0, true);

        public Every {
            if (steps < 0) {
                throw new InputException("a number of steps between evaluations or checkpoints is " + steps
                        + ", expected 1 or more, or 0 for never");
            }
        }

        public static Every steps(long steps) {
            return new Every(steps, false);
        }

        boolean at(long step, boolean epochEnds) {
            return epochs && epochEnds || steps > 0 && step % steps == 0;
        }
    }

    /** @throws InputException if the schedule doesn't take its options, or watches scores while nothing is evaluated */
    public TrainSettings {
        int steps = limits.maxSteps > 0 ? (int) Math.min(limits.maxSteps, Integer.MAX_VALUE) : Integer.MAX_VALUE;
        LearningRate rate = optimization.schedule;
        Schedule schedule = rate.over(steps, rate.warmupSteps, optimization.learningRate);
        if (schedule instanceof Schedule.OnPlateau && evaluating.every.equals(Every.NEVER)) {
            throw new InputException("lr_scheduler reduce_lr_on_plateau watches the score of evaluations, but there are"
                    + " none; give validation rows, or choose another schedule");
        }
    }

    public TrainSettings with(Optimization other) {
        return new TrainSettings(other, batching, limits, evaluating, saving, economy, seed);
    }

    public TrainSettings with(Batching other) {
        return new TrainSettings(optimization, other, limits, evaluating, saving, economy, seed);
    }

    public TrainSettings with(Limits other) {
        return new TrainSettings(optimization, batching, other, evaluating, saving, economy, seed);
    }

    public TrainSettings with(Evaluating other) {
        return new TrainSettings(optimization, batching, limits, other, saving, economy, seed);
    }

    public TrainSettings with(Saving other) {
        return new TrainSettings(optimization, batching, limits, evaluating, other, economy, seed);
    }

    public TrainSettings with(Economy other) {
        return new TrainSettings(optimization, batching, limits, evaluating, saving, other, seed);
    }

    public TrainSettings withSeed(long other) {
        return new TrainSettings(optimization, batching, limits, evaluating, saving, economy, other);
    }

    public TrainSettings withLearningRate(double rate) {
        return with(optimization.withLearningRate(rate));
    }

    public TrainSettings withBatchSize(int rows) {
        return with(batching.withSize(rows));
    }

    public TrainSettings withEpochs(double epochs) {
        return with(new Limits(epochs, 0, limits.maxTime));
    }

    public TrainSettings withMaxSteps(long steps) {
        return with(new Limits(limits.epochs, steps, limits.maxTime));
    }
}
