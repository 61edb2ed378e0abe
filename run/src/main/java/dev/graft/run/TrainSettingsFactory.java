package dev.graft.run;

import dev.graft.eval.tasks.TaskSpec;
import dev.graft.eval.tasks.TaskType;
import dev.graft.formats.InputException;
import dev.graft.run.config.OptimizerOptions;
import dev.graft.run.config.RunConfig;
import dev.graft.run.config.ScheduleOptions;
import dev.graft.run.methods.MethodFactory;
import dev.graft.train.TrainPlan;
import dev.graft.train.TrainSettings;
import dev.graft.train.TrainSettings.Batching;
import dev.graft.train.TrainSettings.Economy;
import dev.graft.train.TrainSettings.Evaluating;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.LearningRate;
import dev.graft.train.TrainSettings.Limits;
import dev.graft.train.TrainSettings.Optimization;
import dev.graft.train.TrainSettings.Saving;
import dev.graft.train.TrainSettingsBatchingBuilder;
import dev.graft.train.TrainSettingsEconomyBuilder;
import dev.graft.train.TrainSettingsEvaluatingBuilder;
import dev.graft.train.TrainSettingsOptimizationBuilder;
import dev.graft.train.checkpoints.BestScore.EarlyStopping;
import dev.graft.train.data.ExampleOrder;
import dev.graft.train.data.TrainingObjective;
import java.time.Duration;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Creates the trainer's settings from a config.
 *
 * @param taskSpec the task; null while unknown: then any metric is valid and the default learning rate is that of classification, the
 *     highest
 * @param scored true if there are validation rows
 */
public record TrainSettingsFactory(
        RunConfig config, @Nullable TaskSpec taskSpec, boolean scored) {
    private static final double USUAL_EPOCHS = 3;
    private static final double USUAL_WARMUP = 0.03;
    private static final TaskType.Defaults UNKNOWN = new TaskType.Defaults(1e-3, 8);

    /**
     * Returns the settings for a number of training rows.
     *
     * @throws InputException if an option is out of range or the task has no such metric
     */
    public TrainSettings of(int rows) {
        TrainSettings settings = new TrainSettings(
                optimization(),
                batching(),
                new Limits(1, 0, null),
                evaluating(),
                new Saving(every(config.output().saveSteps()), config.output().saveTotalLimit()),
                economy(),
                config.base().seed());
        return settings.withLimits(limits(settings, rows));
    }

    private Economy economy() {
        RunConfig.Economy economy = config.economy();
        Double percentile = economy.autoFreeze();
        Integer steps = economy.autoFreezeSteps();
        return TrainSettingsEconomyBuilder.builder(Economy.NONE)
                .checkpointing(economy.gradientCheckpointing())
                .freezePercentile(percentile == null ? 0 : percentile)
                .freezeSteps(steps == null ? 0 : steps)
                .dropBackward(economy.dropBackward())
                .cacheBytes(economy.cacheFrozenLayers() ? economy.cacheMemory().bytes() : -1)
                .trims(economy.memoryLimit() != null)
                .build();
    }

    private boolean isSupervised() {
        return taskSpec == null || taskSpec.objective().equals(TrainingObjective.SUPERVISED);
    }

    private double usualRate() {
        return taskSpec == null
                ? UNKNOWN.learningRate()
                : taskSpec.type().defaults().learningRate();
    }

    private double methodRate() {
        return usualRate() * MethodFactory.named(config.base().method()).rateFactor();
    }

    private int usualSize() {
        return taskSpec == null
                ? UNKNOWN.batchSize()
                : taskSpec.type().defaults().batchSize();
    }

    private Optimization optimization() {
        OptimizerOptions options = config.optimisation();
        Double rate = options.learningRate();
        Double head = options.headLearningRate();
        Double norm = options.maxGradNorm();
        double usualNorm = options.optimizer() == OptimizerOptions.Optimizer.LBFGS ? 0 : 1;
        OptimizerChoice choice = new OptimizerChoice(options);
        return TrainSettingsOptimizationBuilder.builder()
                .optimizer(choice.settings())
                .learningRate(rate == null ? methodRate() : rate)
                .headRate(head == null && rate == null ? Double.valueOf(usualRate()) : head)
                .schedule(schedule(options))
                .maxGradientNorm(norm == null ? usualNorm : norm)
                .labelSmoothing(isSupervised() ? options.labelSmoothing() : 0)
                .groups(choice.groups())
                .averaging(options.emaDecay())
                .lossSpike(options.maxLossSpike())
                .build();
    }

    private LearningRate schedule(OptimizerOptions options) {
        Integer steps = options.warmupSteps();
        Double ratio = options.warmupRatio();
        boolean none = !options.lrScheduler().warmsUp() || endless();
        return new LearningRate(
                options.lrScheduler().title(),
                options.lrSchedulerKwargs(),
                steps == null ? 0 : steps,
                ratio != null ? ratio : steps != null || none ? 0 : USUAL_WARMUP);
    }

    private Batching batching() {
        ScheduleOptions schedule = config.schedule();
        Integer size = schedule.batchSize();
        return TrainSettingsBatchingBuilder.builder()
                .size(size == null ? usualSize() : size)
                .accumulation(schedule.gradientAccumulationSteps())
                .order(schedule.groupByLength() ? ExampleOrder.LENGTH_GROUPED : ExampleOrder.SHUFFLED)
                .longestFirst(true)
                .build();
    }

    /** Returns whether time alone ends the run. */
    private boolean endless() {
        ScheduleOptions schedule = config.schedule();
        return schedule.epochs() == null && schedule.maxSteps() == null && schedule.maxTime() != null;
    }

    private Limits limits(TrainSettings settings, int rows) {
        ScheduleOptions schedule = config.schedule();
        Duration time = schedule.maxTime();
        Integer steps = schedule.maxSteps();
        Integer epochs = schedule.epochs();
        if (endless()) {
            refuseOpenEnd();
            return new Limits(1, Integer.MAX_VALUE, time);
        }
        if (steps == null) {
            return new Limits(epochs == null ? USUAL_EPOCHS : epochs, 0, time);
        }
        if (epochs != null) {
            Limits byEpochs = new Limits(epochs, 0, time);
            if (TrainPlan.of(settings.withLimits(byEpochs), rows).totalSteps() <= steps) {
                return byEpochs;
            }
        }
        return new Limits(1, steps, time);
    }

    private void refuseOpenEnd() {
        OptimizerOptions options = config.optimisation();
        switch (options.lrScheduler()) {
            case CONSTANT, CONSTANT_WITH_WARMUP, INVERSE_SQRT, REDUCE_LR_ON_PLATEAU -> {}
            default ->
                throw new InputException("max_time alone leaves the number of steps open, on which lr_scheduler "
                        + options.lrScheduler().title()
                        + " depends; give epochs or max_steps too, or choose lr_scheduler constant");
        }
        Double ratio = options.warmupRatio();
        if (ratio != null && ratio > 0) {
            throw new InputException("max_time alone leaves the number of steps open, of which warmup_ratio is a share;"
                    + " give warmup_steps instead, or epochs or max_steps");
        }
    }

    private Evaluating evaluating() {
        RunConfig.Evaluation evaluation = config.evaluation();
        if (!scored) {
            refuse("eval_steps", evaluation.evalSteps());
            refuse("metric", evaluation.metric());
            refuse("early_stopping_patience", evaluation.earlyStoppingPatience());
            refuse("load_best", Objects.equals(evaluation.loadBest(), true) ? evaluation.loadBest() : null);
            refuse(
                    "eval_batch_size",
                    config.data().test() == null ? config.schedule().evalBatchSize() : null);
            return TrainSettings.DEFAULT.evaluating().withEvery(Every.NEVER).withLoadBest(false);
        }
        String given = evaluation.metric();
        String metric = given == null ? "loss" : given.replaceFirst("^eval_", "");
        Integer patience = evaluation.earlyStoppingPatience();
        return TrainSettingsEvaluatingBuilder.builder()
                .every(every(evaluation.evalSteps()))
                .metric(metric)
                .greaterIsBetter(taskSpec != null && taskSpec.scorer().greaterIsBetter(metric))
                .loadBest(!Objects.equals(evaluation.loadBest(), false))
                .earlyStopping(patience == null ? null : new EarlyStopping(patience, 0))
                .build();
    }

    private static void refuse(String option, @Nullable Object value) {
        if (value != null) {
            throw new InputException(option + " is " + value + ", but there are no validation rows to score; give"
                    + " data.valid or data.valid_fraction, or leave it out");
        }
    }

    private static Every every(@Nullable Integer steps) {
        return steps == null ? Every.EPOCH : Every.steps(steps);
    }
}
