package dev.graft.cli.train;

import dev.graft.cli.config.Optimisation;
import dev.graft.cli.config.RunConfig;
import dev.graft.cli.config.Schedule;
import dev.graft.cli.methods.ChosenMethod;
import dev.graft.eval.run.RunData;
import dev.graft.eval.run.Scorer;
import dev.graft.formats.InputException;
import dev.graft.models.Task;
import dev.graft.train.BestScore.EarlyStopping;
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
import dev.graft.train.data.Goal;
import dev.graft.train.data.Order;
import java.time.Duration;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a config means for the trainer.
 *
 * @param task null while it isn't known: then any metric goes, and the usual rate is that of classifying, the highest
 * @param scored whether there are validation rows
 */
public record Settings(RunConfig config, @Nullable RunData task, boolean scored) {
    private static final double USUAL_EPOCHS = 3;
    private static final double USUAL_WARMUP = 0.03;

    /** The settings for a number of rows. */
    public TrainSettings of(int rows) {
        TrainSettings settings = new TrainSettings(
                optimization(),
                batching(),
                new Limits(1, 0, null),
                evaluating(),
                new Saving(every(config.output().saveSteps()), config.output().saveTotalLimit()),
                economy(),
                config.base().seed());
        return settings.with(limits(settings, rows));
    }

    private Economy economy() {
        RunConfig.Economy economy = config.economy();
        Double percentile = economy.autoFreeze();
        Integer steps = economy.autoFreezeSteps();
        return new Economy(
                economy.gradientCheckpointing(),
                percentile == null ? 0 : percentile,
                steps == null ? 0 : steps,
                economy.dropBackward(),
                economy.cacheFrozenLayers() ? economy.cacheMemory().bytes() : -1,
                economy.memoryLimit() != null);
    }

    private boolean prefers() {
        return task != null && !task.goal().equals(Goal.TARGETS);
    }

    private double usualRate() {
        return prefers() ? 5e-5 : task != null && task.task() == Task.CAUSAL_LM ? 2e-4 : 1e-3;
    }

    private int usualSize() {
        return prefers() ? 4 : task == null || task.kind() == null ? 8 : 32;
    }

    private Optimization optimization() {
        Optimisation options = config.optimisation();
        Double rate = options.learningRate();
        Double head = options.headLearningRate();
        Double norm = options.maxGradNorm();
        double usualNorm = options.optimizer() == Optimisation.Optimizer.LBFGS ? 0 : 1;
        OptimizerChoice choice = new OptimizerChoice(options);
        return new Optimization(
                choice.settings(),
                rate == null
                        ? usualRate()
                                * ChosenMethod.named(config.base().method()).rateFactor()
                        : rate,
                head == null && rate == null ? Double.valueOf(usualRate()) : head,
                schedule(options),
                norm == null ? usualNorm : norm,
                prefers() ? 0 : options.labelSmoothing(),
                choice.groups(),
                options.emaDecay(),
                options.maxLossSpike());
    }

    private LearningRate schedule(Optimisation options) {
        Integer steps = options.warmupSteps();
        Double ratio = options.warmupRatio();
        boolean none = !options.lrScheduler().warmsUp() || endless();
        return new LearningRate(
                Prepared.name(options.lrScheduler()),
                options.lrSchedulerKwargs(),
                steps == null ? 0 : steps,
                ratio != null ? ratio : steps != null || none ? 0 : USUAL_WARMUP);
    }

    private Batching batching() {
        Schedule schedule = config.schedule();
        Integer size = schedule.batchSize();
        return new Batching(
                size == null ? usualSize() : size,
                schedule.gradientAccumulationSteps(),
                schedule.groupByLength() ? Order.LENGTH_GROUPED : Order.SHUFFLED,
                true);
    }

    /** Whether time alone ends the run. */
    private boolean endless() {
        Schedule schedule = config.schedule();
        return schedule.epochs() == null && schedule.maxSteps() == null && schedule.maxTime() != null;
    }

    private Limits limits(TrainSettings settings, int rows) {
        Schedule schedule = config.schedule();
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
            if (TrainPlan.of(settings.with(byEpochs), rows).totalSteps() <= steps) {
                return byEpochs;
            }
        }
        return new Limits(1, steps, time);
    }

    private void refuseOpenEnd() {
        Optimisation options = config.optimisation();
        switch (options.lrScheduler()) {
            case CONSTANT, CONSTANT_WITH_WARMUP, INVERSE_SQRT, REDUCE_LR_ON_PLATEAU -> {}
            default ->
                throw new InputException("max_time alone leaves the number of steps open, on which lr_scheduler "
                        + Prepared.name(options.lrScheduler())
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
            return new Evaluating(Every.NEVER, "loss", false, false, null);
        }
        String given = evaluation.metric();
        String metric = given == null ? "loss" : given.replaceFirst("^eval_", "");
        Integer patience = evaluation.earlyStoppingPatience();
        return new Evaluating(
                every(evaluation.evalSteps()),
                metric,
                task != null && Scorer.of(task).greaterIsBetter(metric),
                !Objects.equals(evaluation.loadBest(), false),
                patience == null ? null : new EarlyStopping(patience, 0));
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
