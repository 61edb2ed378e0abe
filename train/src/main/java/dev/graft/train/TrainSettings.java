package dev.graft.train;

import dev.graft.formats.InputException;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.train.checkpoints.BestScore.EarlyStopping;
import dev.graft.train.data.ExampleOrder;
import dev.graft.train.optim.AdamW;
import dev.graft.train.optim.Lbfgs;
import dev.graft.train.optim.Optimizer;
import dev.graft.train.schedules.Schedule;
import dev.graft.train.schedules.ScheduleFactory;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The settings of a training run.
 *
 * <pre>{@code
 * TrainSettings settings = TrainSettings.DEFAULT.withLearningRate(1e-3).withBatchSize(32).withEpochs(4);
 * }</pre>
 *
 * @param seed the random seed of row order and dropout
 */
@RecordBuilder
public record TrainSettings(
        Optimization optimization,
        Batching batching,
        Limits limits,
        Evaluating evaluating,
        Saving saving,
        Economy economy,
        long seed)
        implements TrainSettingsBuilder.With {

    /**
     * AdamW with a rate of 2e-4 that falls linearly to 0, batches of 8, 3 epochs, an evaluation and a checkpoint after each epoch.
     */
    public static final TrainSettings DEFAULT = new TrainSettings(
            new Optimization(AdamW.Settings.DEFAULT, 2e-4, LearningRate.LINEAR, 1, 0),
            new Batching(8, 1, ExampleOrder.LENGTH_GROUPED, true),
            new Limits(3, 0, null),
            TrainSettingsEvaluatingBuilder.builder()
                    .every(Every.EPOCH)
                    .metric("loss")
                    .loadBest(true)
                    .build(),
            new Saving(Every.EPOCH, 2),
            Economy.NONE,
            42);

    /**
     * The settings of an optimiser step.
     *
     * @param learningRate the base rate, at most 100
     * @param headRate the rate of modules trained whole beside a method; null for the base rate
     * @param maxGradientNorm the norm to which larger gradients are scaled down; 0 for no clipping
     * @param labelSmoothing the share of a target that is spread over all classes
     * @param groups groups of parameters with settings of their own
     * @param averaging the decay of the adapter's moving average, which is then evaluated and saved; null for none
     * @param lossSpike the multiple of the median of recent losses above which a step is skipped; three in a row end the run; 0 for never
     */
    @RecordBuilder
    public record Optimization(
            Optimizer.Settings optimizer,
            double learningRate,
            @Nullable Double headRate,
            LearningRate schedule,
            double maxGradientNorm,
            double labelSmoothing,
            List<ParameterGroup> groups,
            @Nullable Double averaging,
            double lossSpike)
            implements TrainSettingsOptimizationBuilder.With {
        private static final double HIGHEST_RATE = 100;
        private static final double USUAL_SPIKE = 10;

        /** Creates settings with one parameter group, no averaging and a loss spike of 10. */
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
    }

    /**
     * The schedule of the learning rate; names and options are those of {@link dev.graft.train.schedules.ScheduleFactory#create}.
     *
     * @param warmupSteps the number of optimiser steps of the warm-up
     * @param warmupRatio the warm-up's share of all steps, in place of a number of steps
     */
    public record LearningRate(String schedule, Map<String, ?> options, int warmupSteps, double warmupRatio) {
        /** A linear decay to 0, without warm-up. */
        public static final LearningRate LINEAR = new LearningRate("linear", Map.of(), 0, 0);

        public LearningRate {
            options = Map.copyOf(options);
            if (warmupSteps != 0 && warmupRatio != 0) {
                throw new InputException(
                        "warmup_steps is " + warmupSteps + " and warmup_ratio is " + warmupRatio + ": set one of them");
            }
        }

        Schedule create(int steps, int warmup, double learningRate) {
            return ScheduleFactory.create(schedule, new Schedule.Timeline(warmup, steps, learningRate), options);
        }
    }

    /**
     * The rows of an optimiser step: {@code size · accumulation}, fewer at the end of an epoch.
     *
     * @param size rows in a forward pass
     * @param accumulation batches in an optimiser step; the result is that of one large batch
     * @param longestFirst true if the batch that needs most memory comes first
     */
    @RecordBuilder
    public record Batching(int size, int accumulation, ExampleOrder order, boolean longestFirst)
            implements TrainSettingsBatchingBuilder.With {
        public Batching {
            if (size < 1) {
                throw new InputException("batch_size is " + size + ", expected 1 or more");
            }
            if (accumulation < 1) {
                throw new InputException("gradient_accumulation_steps is " + accumulation + ", expected 1 or more");
            }
        }
    }

    /**
     * The conditions that end a run.
     *
     * @param epochs passes over the rows; may be a fraction
     * @param maxSteps the number of optimiser steps, which overrides epochs; 0 to use epochs
     * @param maxTime the time limit: the run ends after the step during which it passes; null for none
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
     * The rhythm of evaluations and the use of their results; there is always an evaluation at the end.
     *
     * @param metric the metric that selects the best step: {@code loss} or another one of the evaluation
     * @param loadBest true if the run ends with the parameters of the best step in place of the last
     * @param earlyStopping null for never
     */
    @RecordBuilder
    public record Evaluating(
            Every every,
            String metric,
            boolean greaterIsBetter,
            boolean loadBest,
            @Nullable EarlyStopping earlyStopping)
            implements TrainSettingsEvaluatingBuilder.With {}

    /**
     * The rhythm of checkpoints; there is one at the end too, unless {@link Every#NEVER}.
     *
     * @param totalLimit the number of checkpoints to keep, 0 for all; the best one is always kept
     */
    public record Saving(Every every, int totalLimit) {
        public Saving {
            if (totalLimit < 0) {
                throw new InputException("save_total_limit is " + totalLimit + ", expected 0 (all) or more");
            }
        }
    }

    /**
     * The settings that save memory and time in a step.
     *
     * @param checkpointing true to keep only the input of each layer and run the layer again in the backward pass
     * @param freezePercentile the percentile of the gradients' changes at or below which leading layers are frozen (AutoFreeze); 0 for never
     * @param freezeSteps the number of steps between two checks of the changes; 0 for a quarter of a pass over the rows
     * @param dropBackward the share of the backward pass that is skipped at random (DropBP); 0 for none
     * @param cacheBytes the memory for the outputs of layers below those that learn; further outputs go to a file; -1 to run those layers
     *     in every step
     * @param trims true to return free memory to the system between the batches of a step, and drop products compiled for their lengths
     */
    @RecordBuilder
    public record Economy(
            boolean checkpointing,
            double freezePercentile,
            int freezeSteps,
            double dropBackward,
            long cacheBytes,
            boolean trims)
            implements TrainSettingsEconomyBuilder.With {
        /** The settings that keep everything and skip nothing. */
        public static final Economy NONE =
                TrainSettingsEconomyBuilder.builder().cacheBytes(-1).build();

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

        /** Creates the forward pass of a training step. */
        public ForwardPass pass(Hooks hooks) {
            ForwardPass pass = ForwardPass.training(hooks);
            return checkpointing ? pass.checkpointed() : pass;
        }
    }

    /**
     * A rhythm of optimiser steps, for evaluations or checkpoints.
     *
     * @param steps the number of steps between two of them; 0 for no such rhythm
     * @param epochs true for one at the end of each epoch too
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

        boolean isDue(long step, boolean epochEnds) {
            return epochs && epochEnds || steps > 0 && step % steps == 0;
        }
    }

    /** @throws InputException if the schedule rejects its options, or needs evaluations and there are none */
    public TrainSettings {
        int steps = limits.maxSteps > 0 ? (int) Math.min(limits.maxSteps, Integer.MAX_VALUE) : Integer.MAX_VALUE;
        LearningRate rate = optimization.schedule;
        Schedule schedule = rate.create(steps, rate.warmupSteps, optimization.learningRate);
        if (schedule instanceof Schedule.ReduceOnPlateau && evaluating.every.equals(Every.NEVER)) {
            throw new InputException("lr_scheduler reduce_lr_on_plateau watches the score of evaluations, but there are"
                    + " none; give validation rows, or choose another schedule");
        }
    }

    public TrainSettings withLearningRate(double rate) {
        return withOptimization(optimization.withLearningRate(rate));
    }

    public TrainSettings withBatchSize(int rows) {
        return withBatching(batching.withSize(rows));
    }

    public TrainSettings withEpochs(double epochs) {
        return withLimits(new Limits(epochs, 0, limits.maxTime));
    }

    public TrainSettings withMaxSteps(long steps) {
        return withLimits(new Limits(limits.epochs, steps, limits.maxTime));
    }
}
