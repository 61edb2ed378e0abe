package dev.graft.train;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.TaskHooks;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.train.BestScore.EarlyStopping;
import dev.graft.train.TrainSettings.Evaluating;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.Optimization;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Reason;
import dev.graft.train.TrainingEvent.Saved;
import dev.graft.train.TrainingEvent.Started;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.checkpoints.Checkpoint;
import dev.graft.train.checkpoints.Checkpoints;
import dev.graft.train.checkpoints.TrainingState;
import dev.graft.train.data.BatchPlan;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.Lbfgs;
import dev.graft.train.optim.Optimizer;
import dev.graft.train.schedules.Plateau;
import dev.graft.train.schedules.Schedule;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** One run of a {@link Trainer}: where it stands, and the loop. */
final class TrainingRun {
    private final Trainer trainer;
    private final TrainSettings settings;
    private final TrainPlan plan;
    private final BatchPlan batches;
    private final Schedule schedule;
    private final @Nullable Plateau plateau;
    private final TrainingRule rule;
    private final Optimizer optimizer;
    private final Stepper stepper;
    private final @Nullable MovingAverage average;
    private final @Nullable Checkpoints checkpoints;
    private final ObjectNode config;
    private final Progress progress;
    private final Started started;

    private long step;
    private int epoch;
    private int batch;
    private @Nullable BestScore best;
    private @Nullable Tensor bestValues;
    private Map<String, Double> metrics = Map.of();
    private boolean evaluationDue;
    private long evaluatedAt = -1;
    private long savedAt = -1;
    private double loss = Double.NaN;
    private long tokens;

    TrainingRun(Trainer trainer, Resume resume) {
        this.trainer = trainer;
        this.settings = trainer.settings();
        Adapter adapter = trainer.adapter();
        if (adapter.trainable().isEmpty()) {
            throw new InputException("the adapter has no trainable parameter");
        }
        plan = TrainPlan.of(settings, trainer.examples().size());
        schedule = plan.schedule(settings);
        plateau = schedule instanceof Schedule.OnPlateau watched
                ? new Plateau(watched, settings.evaluating().greaterIsBetter())
                : null;
        batches = new BatchPlan(
                trainer.examples().lengths(),
                settings.batching().size(),
                settings.batching().order(),
                settings.seed(),
                settings.batching().longestFirst());
        rule = adapter.method()
                .training(
                        adapter,
                        new TrainingRule.Run(
                                plan.totalSteps(),
                                plan.stepsPerEpoch(),
                                settings.optimization().learningRate(),
                                settings.seed()));
        Optimization optimization = settings.optimization();
        FlatParameters parameters = ParameterGroup.lay(adapter, optimization, rule);
        checkSuits(optimization);
        optimizer = optimization.optimizer().of(parameters);
        Double averaging = optimization.averaging();
        average = averaging == null ? null : new MovingAverage(parameters.values(), averaging);
        stepper = new Stepper(settings, plan, adapter, trainer.examples(), optimizer, rule, trainer.folder());
        if (trainer.evaluation() != null) {
            Evaluating evaluating = settings.evaluating();
            best = BestScore.of(evaluating.metric(), evaluating.greaterIsBetter());
        }
        Path folder = trainer.folder();
        checkpoints = folder == null
                ? null
                : new Checkpoints(folder, settings.saving().totalLimit());
        config = folder == null
                ? JsonNodeFactory.instance.objectNode()
                : RunSettings.of(settings, plan, adapter, trainer.examples(), trainer.evaluation());
        Checkpoint from = checkpoints == null ? null : resume.find(checkpoints);
        if (checkpoints != null && from != null) {
            checkpoints.tidy(from);
            restore(from);
        }
        progress = new Progress(step, plan.totalSteps(), System::nanoTime);
        started = new Started(
                step,
                plan.totalSteps(),
                from == null ? null : from.folder(),
                checkpoints == null ? List.of() : checkpoints.rejected());
    }

    private void checkSuits(Optimization optimization) {
        String method = trainer.adapter().method().type().name();
        if (optimization.averaging() != null && !rule.averages()) {
            throw new InputException("ema_decay averages the values of many steps, but " + method
                    + " sets some to exactly zero, which a mean would undo; leave it out");
        }
        if (optimization.optimizer() instanceof Lbfgs.Settings && rule != TrainingRule.NONE) {
            throw new InputException("optimizer lbfgs builds on exact gradients and one rate for all parameters, but "
                    + method + " changes rates or gradients while it trains; choose adamw");
        }
    }

    /** What the run remembers between steps beside its numbers. */
    private Map<String, Tensor> state() {
        Map<String, Tensor> state = stepper.state();
        if (average != null) {
            state.put("average", average.mean());
        }
        if (plateau != null) {
            state.put("plateau", plateau.state());
        }
        return state;
    }

    private void restore(Checkpoint from) {
        TrainingState state = from.state();
        state.requireConfig(config, from.folder());
        Snapshot.restore(from.folder(), trainer.adapter(), optimizer, rule.state(), state());
        stepper.restored();
        step = state.step();
        epoch = state.epoch();
        batch = state.batch();
        loss = state.loss();
        tokens = state.tokens();
        evaluationDue = state.evaluationDue();
        savedAt = step;
        if (best != null && state.best() != null) {
            best = state.best();
            Tensor values = copy(optimizer.parameters().values());
            if (Snapshot.restoreBest(from.folder(), values)) {
                bestValues = values;
            } else {
                values.close();
            }
        }
    }

    long step() {
        return step;
    }

    Duration elapsed() {
        return progress.elapsed();
    }

    TrainResult train(BooleanSupplier interrupted) {
        try (stepper) {
            return steps(interrupted);
        }
    }

    private TrainResult steps(BooleanSupplier interrupted) {
        tell(listener -> listener.onStart(started));
        if (!begin(interrupted)) {
            return end(Reason.INTERRUPTED);
        }
        Reason reason = step >= plan.totalSteps() ? Reason.FINISHED : stoppedEarly() ? Reason.STOPPED_EARLY : null;
        while (reason == null) {
            int[][] epochBatches = batches.epoch(epoch);
            while (reason == null && batch < epochBatches.length) {
                reason = step(epochBatches, interrupted);
            }
            if (batch >= epochBatches.length) {
                epoch++;
                batch = 0;
            }
        }
        return end(reason);
    }

    /** What comes before the first step of this process; false if it was abandoned. */
    private boolean begin(BooleanSupplier interrupted) {
        if (step == 0) {
            trainer.examples().firstPack(Stepper.PAD, stepper::requireApart);
            try {
                rule.begin(look -> stepper.look(batches.epoch(0), look, interrupted));
            } catch (CancellationException abandoned) {
                return false;
            }
        }
        return !evaluationDue || evaluate(epochs(batches.epoch(epoch).length), interrupted);
    }

    private @Nullable Reason step(int[][] epochBatches, BooleanSupplier interrupted) {
        int next = Math.min(batch + settings.batching().accumulation(), epochBatches.length);
        double rate =
                settings.optimization().learningRate() * (plateau == null ? schedule.factor(step) : plateau.factor());
        Stepper.Outcome outcome;
        try {
            outcome = stepper.step(step + 1, Arrays.asList(epochBatches).subList(batch, next), rate, interrupted);
        } catch (CancellationException abandoned) {
            // Before the first step there is nothing to go on from.
            if (step > 0) {
                save(epochBatches.length);
            }
            return Reason.INTERRUPTED;
        }
        step++;
        if (average != null && outcome.applied()) {
            average.update(optimizer.steps());
        }
        batch = next;
        boolean epochEnds = next == epochBatches.length;
        loss = outcome.loss();
        tokens += outcome.tokens();
        progress.step(outcome.tokens());
        Stepped stepped = new Stepped(
                step,
                plan.totalSteps(),
                epochs(epochBatches.length),
                outcome.loss(),
                outcome.gradientNorm(),
                rate,
                outcome.tokens(),
                progress.tokensPerSecond(),
                ResidentMemory.bytes(),
                progress.elapsed(),
                progress.remaining(),
                outcome.figures());
        tell(listener -> listener.onStep(stepped));

        Duration most = settings.limits().maxTime();
        Reason reason = step >= plan.totalSteps()
                ? Reason.FINISHED
                : most != null && progress.elapsed().compareTo(most) >= 0 ? Reason.OUT_OF_TIME : null;
        boolean inRhythm = settings.evaluating().every().at(step, epochEnds);
        if (inRhythm || reason != null) {
            if (!evaluate(epochs(epochBatches.length), interrupted)) {
                evaluationDue = inRhythm || reason == Reason.FINISHED;
                reason = Reason.INTERRUPTED;
            } else if (reason == null && stoppedEarly()) {
                reason = Reason.STOPPED_EARLY;
            }
        }
        if (reason == null && interrupted.getAsBoolean()) {
            reason = Reason.INTERRUPTED;
        }
        boolean saves = !settings.saving().every().equals(Every.NEVER);
        boolean unfinished = reason == Reason.INTERRUPTED || reason == Reason.OUT_OF_TIME;
        if (settings.saving().every().at(step, epochEnds) || unfinished || reason != null && saves) {
            save(epochBatches.length);
        }
        progress.pause();
        return reason;
    }

    private double epochs(int batchesInEpoch) {
        return epoch + (double) batch / batchesInEpoch;
    }

    private boolean stoppedEarly() {
        EarlyStopping stopping = settings.evaluating().earlyStopping();
        return stopping != null && best != null && best.shouldStop(stopping);
    }

    /** False if it was abandoned, which leaves everything as it was. */
    private boolean evaluate(double epochs, BooleanSupplier interrupted) {
        Evaluation evaluation = trainer.evaluation();
        if (evaluation == null
                || best == null
                || evaluatedAt == step
                || settings.evaluating().every().equals(Every.NEVER)) {
            return true;
        }
        long start = System.nanoTime();
        BestScore before = best;
        if (interrupted.getAsBoolean()) {
            return false;
        }
        try {
            averaged(() -> evaluate(evaluation, before));
        } catch (CancellationException abandoned) {
            if (interrupted.getAsBoolean()) {
                return false;
            }
            throw abandoned;
        }
        evaluationDue = false;
        boolean better = best.step() == step;
        Evaluated evaluated = new Evaluated(step, epochs, metrics, better, Duration.ofNanos(System.nanoTime() - start));
        tell(listener -> listener.onEvaluate(evaluated));
        return true;
    }

    private void evaluate(Evaluation evaluation, BestScore before) {
        metrics = evaluation.evaluate(TaskHooks.of(trainer.adapter()));
        Double value = metrics.get(before.metric());
        if (value == null) {
            throw new InputException("the metric " + before.metric() + " is watched, but the evaluation gives only "
                    + String.join(", ", metrics.keySet()));
        }
        if (plateau != null) {
            plateau.observe(value);
        }
        EarlyStopping stopping = settings.evaluating().earlyStopping();
        if (step > rule.complete()) {
            BestScore now = before.observe(step, value, stopping == null ? 0 : stopping.minimumGain());
            best = now;
            if (now.step() == step) {
                keepBest();
            }
        }
        evaluatedAt = step;
    }

    /** Does something with the adapter that the run is for: the average where there is one. */
    private void averaged(Runnable work) {
        if (average != null) {
            average.swap();
        }
        try {
            work.run();
        } finally {
            if (average != null) {
                average.swap();
            }
        }
    }

    private void save(int batchesInEpoch) {
        if (checkpoints == null || savedAt == step) {
            return;
        }
        boolean epochEnds = batch == batchesInEpoch;
        TrainingState state = new TrainingState(
                step,
                epochEnds ? epoch + 1 : epoch,
                epochEnds ? 0 : batch,
                best,
                loss,
                tokens,
                evaluationDue,
                Map.of("seed", settings.seed()),
                config);
        Path saved = checkpoints.save(state, temporary -> {
            Snapshot.write(temporary, trainer.adapter(), optimizer, rule.state(), state(), bestValues);
            averaged(() -> trainer.adapter().save(temporary.resolve("adapter"), trainer.beside()));
        });
        savedAt = step;
        tell(listener -> listener.onSave(new Saved(step, saved)));
    }

    private TrainResult end(Reason reason) {
        Path adapter = null;
        if (reason != Reason.INTERRUPTED) {
            if (average != null) {
                average.swap();
            }
            if (best != null && bestValues != null && settings.evaluating().loadBest()) {
                try (NoGrad off = new NoGrad();
                        Scope scope = new Scope()) {
                    optimizer.parameters().values().copy_(bestValues);
                }
                rule.restored(best.step());
            }
            Path folder = trainer.folder();
            if (folder != null) {
                adapter = folder.resolve("adapter");
                trainer.adapter().save(adapter, trainer.beside());
            }
        }
        return new TrainResult(step, started.step(), loss, metrics, best, tokens, progress.elapsed(), reason, adapter);
    }

    private void keepBest() {
        Tensor values = optimizer.parameters().values();
        if (bestValues == null) {
            bestValues = copy(values);
            return;
        }
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            bestValues.copy_(values);
        }
    }

    private static Tensor copy(Tensor values) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            return scope.release(values.detach().clone());
        }
    }

    private void tell(Consumer<TrainingListener> event) {
        trainer.listeners().forEach(event);
    }
}
