package dev.graft.train;

import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.train.TrainingEvent.Ended;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Saved;
import dev.graft.train.TrainingEvent.Started;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.data.Examples;
import dev.graft.train.optim.Optimizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;

/** Runs of a tiny model that learns to count, and what they tell. */
abstract class RecordedRuns {
    static final Base LLAMA = Tiny.llama();
    static final Examples COUNTING = Tiny.counting(23, 1);
    static final TrainSettings SETTINGS = TrainSettings.DEFAULT
            .withLearningRate(1e-2)
            .withBatching(TrainSettings.DEFAULT.batching().withSize(2).withAccumulation(2))
            .withEpochs(2);

    @TempDir
    Path folder;

    /** Everything that a run tells. */
    static final class Recorder implements TrainingListener {
        final List<Started> started = new ArrayList<>();
        final List<Stepped> steps = new ArrayList<>();
        final List<Evaluated> evaluations = new ArrayList<>();
        final List<Saved> saved = new ArrayList<>();
        final List<Ended> ended = new ArrayList<>();

        @Override
        public void onStart(Started event) {
            started.add(event);
        }

        @Override
        public void onStep(Stepped event) {
            steps.add(event);
        }

        @Override
        public void onEvaluate(Evaluated event) {
            evaluations.add(event);
        }

        @Override
        public void onSave(Saved event) {
            saved.add(event);
        }

        @Override
        public void onEnd(Ended event) {
            ended.add(event);
        }

        List<Double> losses() {
            return steps.stream().map(Stepped::loss).toList();
        }
    }

    final Recorder recorder = new Recorder();

    Trainer trainer(TrainSettings settings, Adapter adapter, @Nullable Evaluation evaluation, @Nullable Path run) {
        return new Trainer(settings, adapter, COUNTING, evaluation, run, List.of(recorder));
    }

    BooleanSupplier afterSteps(int steps) {
        int before = recorder.steps.size();
        return () -> recorder.steps.size() - before >= steps;
    }

    static TrainSettings with(Optimizer.Settings optimizer) {
        return SETTINGS.withOptimization(SETTINGS.optimization().withOptimizer(optimizer));
    }
}
