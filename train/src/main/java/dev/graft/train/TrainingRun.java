package dev.graft.train;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.TaskHooks;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.train.TrainSettings.Evaluating;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.Optimization;
import dev.graft.train.TrainingEvent.EndReason;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Saved;
import dev.graft.train.TrainingEvent.Started;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.checkpoints.BestScore;
import dev.graft.train.checkpoints.BestScore.EarlyStopping;
import dev.graft.train.checkpoints.Checkpoint;
import dev.graft.train.checkpoints.Checkpoints;
import dev.graft.train.checkpoints.TrainingState;
import dev.graft.train.data.BatchSampler;
import dev.graft.train.data.Examples;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.Lbfgs;
import dev.graft.train.optim.Optimizer;
import dev.graft.train.schedules.PlateauTracker;
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

/** One run of a trainer: its position in the rows, and the loop over them. */
final class TrainingRun {
    private final TrainSettings settings;
    private final Adapter adapter;
    private final Examples examples;
    private final @Nullable Evaluation evaluation;
    private final @Nullable Path folder;
    private final List<TrainingListener> listeners;
    private final Consumer<Path> metadataWriter;
    private final TrainPlan plan;
    private final BatchSampler sampler;
    private final Schedule schedule;
    private final @Nullable PlateauTracker plateau;
    private final TrainingRule rule;
    private final Optimizer optimizer;
    private final Stepper stepper;
    private final @Nullable ExponentialMovingAverage average;
    private final @Nullable Checkpoints checkpoints;
    private final ObjectNode config;
    private final TrainingProgress progress;
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

    TrainingRun(
            TrainSettings settings,
            Adapter adapter,
            Examples examples,
            @Nullable Evaluation evaluation,
            @Nullable Path folder,
            List<TrainingListener> listeners,
            Consumer<Path> metadataWriter,
            Resume resume) {
        this.settings = settings;
        this.adapter = adapter;
        this.examples = examples;
        this.evaluation = evaluation;
        this.folder = folder;
        this.listeners = listeners;
        this.metadataWriter = metadataWriter;
        if (adapter.trainable().isEmpty()) {
            throw new InputException("the adapter has no trainable parameter");
        }
        plan = TrainPlan.of(settings, examples.size());
        schedule = plan.schedule(settings);
        plateau = schedule instanceof Schedule.ReduceOnPlateau watched
                ? new PlateauTracker(watched, settings.evaluating().greaterIsBetter())
                : null;
        sampler = new BatchSampler(
                examples.lengths(),
                settings.batching().size(),
                settings.batching().order(),
                settings.seed(),
                settings.batching().longestFirst());
        rule = adapter.method()
                .trainingRule(
                        adapter,
                        new TrainingRule.Run(
                                plan.totalSteps(),
                                plan.stepsPerEpoch(),
                                settings.optimization().learningRate(),
                                settings.seed()));
        Optimization optimization = settings.optimization();
        FlatParameters parameters = ParameterGroup.flatten(
                adapter, optimization.groups(), optimization.learningRate(), optimization.headRate(), rule);
        requireCompatible(optimization);
        optimizer = optimization.optimizer().of(parameters);
        Double averaging = optimization.averaging();
        average = averaging == null ? null : new ExponentialMovingAverage(parameters.values(), averaging);
        stepper = new Stepper(settings, plan, adapter, examples, optimizer, rule, folder);
        if (evaluation != null) {
            Evaluating evaluating = settings.evaluating();
            best = BestScore.of(evaluating.metric(), evaluating.greaterIsBetter());
        }
        checkpoints = folder == null
                ? null
                : new Checkpoints(folder, settings.saving().totalLimit());
        config = folder == null
                ? JsonNodeFactory.instance.objectNode()
                : RunSettings.of(settings, plan, adapter, examples, evaluation);
        Checkpoint from = checkpoints == null ? null : resume.find(checkpoints);
        if (checkpoints != null && from != null) {
            checkpoints.tidy(from);
            restore(from);
        }
        progress = new TrainingProgress(step, plan.totalSteps(), System::nanoTime);
        started = new Started(
                step,
                plan.totalSteps(),
                from == null ? null : from.folder(),
                checkpoints == null ? List.of() : checkpoints.rejected());
    }

    private void requireCompatible(Optimization optimization) {
        String method = adapter.method().type().name();
        if (optimization.averaging() != null && !rule.allowsAveraging()) {
            throw new InputException("ema_decay averages the values of many steps, but " + method
                    + " sets some to exactly zero, which a mean would undo; leave it out");
        }
        if (optimization.optimizer() instanceof Lbfgs.Settings && rule != TrainingRule.NONE) {
            throw new InputException("optimizer lbfgs builds on exact gradients and one rate for all parameters, but "
                    + method + " changes rates or gradients while it trains; choose adamw");
        }
    }

    /** Returns the tensors that the run keeps between steps beside its numbers. */
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
        CheckpointTensors.restore(from.folder(), adapter, optimizer, rule.state(), state());
        stepper.onRestored();
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
            if (CheckpointTensors.restoreBest(from.folder(), values)) {
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
        notifyListeners(listener -> listener.onStart(started));
        if (!begin(interrupted)) {
            return end(EndReason.INTERRUPTED);
        }
        EndReason reason =
                step >= plan.totalSteps() ? EndReason.FINISHED : stoppedEarly() ? EndReason.STOPPED_EARLY : null;
        while (reason == null) {
            int[][] epochBatches = sampler.epoch(epoch);
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

    /** Does the work before the first step of this process; false if it was abandoned. */
    private boolean begin(BooleanSupplier interrupted) {
        if (step == 0) {
            examples.firstPack(Stepper.PAD, stepper::requireIsolation);
            try {
                rule.begin(look -> stepper.visitGradients(sampler.epoch(0), look, interrupted));
            } catch (CancellationException abandoned) {
                return false;
            }
        }
        return !evaluationDue || evaluate(epochs(sampler.epoch(epoch).length), interrupted);
    }

    private @Nullable EndReason step(int[][] epochBatches, BooleanSupplier interrupted) {
        int next = Math.min(batch + settings.batching().accumulation(), epochBatches.length);
        double rate =
                settings.optimization().learningRate() * (plateau == null ? schedule.factor(step) : plateau.factor());
        Stepper.StepResult result;
        try {
            result = stepper.step(step + 1, Arrays.asList(epochBatches).subList(batch, next), rate, interrupted);
        } catch (CancellationException abandoned) {
            // Before the first step there is nothing to go on from.
            if (step > 0) {
                save(epochBatches.length);
            }
            return EndReason.INTERRUPTED;
        }
        step++;
        if (average != null && result.applied()) {
            average.update(optimizer.steps());
        }
        batch = next;
        boolean epochEnds = next == epochBatches.length;
        loss = result.loss();
        tokens += result.tokens();
        progress.step(result.tokens());
        Stepped stepped = new Stepped(
                step,
                plan.totalSteps(),
                epochs(epochBatches.length),
                result.loss(),
                result.gradientNorm(),
                rate,
                result.tokens(),
                progress.tokensPerSecond(),
                ResidentMemory.bytes(),
                progress.elapsed(),
                progress.remaining(),
                result.metrics());
        notifyListeners(listener -> listener.onStep(stepped));

        Duration most = settings.limits().maxTime();
        EndReason reason = step >= plan.totalSteps()
                ? EndReason.FINISHED
                : most != null && progress.elapsed().compareTo(most) >= 0 ? EndReason.OUT_OF_TIME : null;
        boolean inRhythm = settings.evaluating().every().isDue(step, epochEnds);
        if (inRhythm || reason != null) {
            if (!evaluate(epochs(epochBatches.length), interrupted)) {
                evaluationDue = inRhythm || reason == EndReason.FINISHED;
                reason = EndReason.INTERRUPTED;
            } else if (reason == null && stoppedEarly()) {
                reason = EndReason.STOPPED_EARLY;
            }
        }
        if (reason == null && interrupted.getAsBoolean()) {
            reason = EndReason.INTERRUPTED;
        }
        boolean saves = !settings.saving().every().equals(Every.NEVER);
        boolean unfinished = reason == EndReason.INTERRUPTED || reason == EndReason.OUT_OF_TIME;
        if (settings.saving().every().isDue(step, epochEnds) || unfinished || reason != null && saves) {
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
            withAverage(() -> evaluate(evaluation, before));
        } catch (CancellationException abandoned) {
            if (interrupted.getAsBoolean()) {
                return false;
            }
            throw abandoned;
        }
        evaluationDue = false;
        boolean better = best.step() == step;
        Evaluated evaluated = new Evaluated(step, epochs, metrics, better, Duration.ofNanos(System.nanoTime() - start));
        notifyListeners(listener -> listener.onEvaluate(evaluated));
        return true;
    }

    private void evaluate(Evaluation evaluation, BestScore before) {
        metrics = evaluation.evaluate(TaskHooks.of(adapter));
        Double value = metrics.get(before.metric());
        if (value == null) {
            throw new InputException("the metric " + before.metric() + " is watched, but the evaluation gives only "
                    + String.join(", ", metrics.keySet()));
        }
        if (plateau != null) {
            plateau.observe(value);
        }
        EarlyStopping stopping = settings.evaluating().earlyStopping();
        if (step > rule.firstCompleteStep()) {
            BestScore now = before.observe(step, value, stopping == null ? 0 : stopping.minimumGain());
            best = now;
            if (now.step() == step) {
                keepBest();
            }
        }
        evaluatedAt = step;
    }

    /** Does something with the adapter that the run is for: the average where there is one. */
    private void withAverage(Runnable work) {
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
            CheckpointTensors.write(temporary, adapter, optimizer, rule.state(), state(), bestValues);
            withAverage(() -> adapter.save(temporary.resolve("adapter"), metadataWriter));
        });
        savedAt = step;
        notifyListeners(listener -> listener.onSave(new Saved(step, saved)));
    }

    private TrainResult end(EndReason reason) {
        Path saved = null;
        if (reason != EndReason.INTERRUPTED) {
            if (average != null) {
                average.swap();
            }
            if (best != null && bestValues != null && settings.evaluating().loadBest()) {
                try (NoGrad noGrad = new NoGrad();
                        Scope scope = new Scope()) {
                    optimizer.parameters().values().copy_(bestValues);
                }
                rule.afterRestore(best.step());
            }
            if (folder != null) {
                saved = folder.resolve("adapter");
                adapter.save(saved, metadataWriter);
            }
        }
        return new TrainResult(step, started.step(), loss, metrics, best, tokens, progress.elapsed(), reason, saved);
    }

    private void keepBest() {
        Tensor values = optimizer.parameters().values();
        if (bestValues == null) {
            bestValues = copy(values);
            return;
        }
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            bestValues.copy_(values);
        }
    }

    private static Tensor copy(Tensor values) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            return scope.release(values.detach().clone());
        }
    }

    private void notifyListeners(Consumer<TrainingListener> event) {
        listeners.forEach(event);
    }
}
