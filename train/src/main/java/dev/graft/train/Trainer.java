package dev.graft.train;

import dev.graft.peft.Adapter;
import dev.graft.train.TrainingEvent.EndReason;
import dev.graft.train.TrainingEvent.Ended;
import dev.graft.train.checkpoints.RunLock;
import dev.graft.train.data.Examples;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Trains an adapter on its base.
 *
 * <pre>{@code
 * TrainSettings settings = TrainSettings.DEFAULT.withLearningRate(1e-3).withEpochs(4);
 * Evaluation evaluation = Evaluation.loss(new Predictor(base, valid, 32));
 * TrainResult result = new Trainer(settings, adapter, train, evaluation, Path.of("out"), List.of()).run();
 * }</pre>
 *
 * <p>A step means an optimiser step throughout. A run folder gets {@code checkpoint-<step>} folders and, at the end, {@code adapter}; a run
 * resumed from a checkpoint ends with the same bits as one that was never interrupted.
 *
 * @param adapter the adapter to train; changed in place
 * @param evaluation scores the adapter during the run; null for none
 * @param folder the run's folder; null to write no files
 * @param metadataWriter writes further files into the folder of a saved adapter
 */
public record Trainer(
        TrainSettings settings,
        Adapter adapter,
        Examples examples,
        @Nullable Evaluation evaluation,
        @Nullable Path folder,
        List<TrainingListener> listeners,
        Consumer<Path> metadataWriter) {
    public Trainer {
        listeners = List.copyOf(listeners);
    }

    /** Creates a trainer that writes nothing beside the adapter's own files. */
    public Trainer(
            TrainSettings settings,
            Adapter adapter,
            Examples examples,
            @Nullable Evaluation evaluation,
            @Nullable Path folder,
            List<TrainingListener> listeners) {
        this(settings, adapter, examples, evaluation, folder, listeners, path -> {});
    }

    /** Trains, resuming the folder's newest checkpoint if it has one. */
    public TrainResult run() {
        return run(Resume.AUTO, () -> false);
    }

    /**
     * Trains.
     *
     * @param resume the point at which the run begins
     * @param interrupted checked after each step, before an evaluation, and between the batches of a step by every training thread. Once it
     *     is true, the run drops unfinished work, saves a checkpoint of the last step and ends
     * @throws dev.graft.formats.InputException if the folder is in use, or holds checkpoints of a run with other settings
     * @throws TrainingException if the run can't go on; the last checkpoint is intact
     */
    public TrainResult run(Resume resume, BooleanSupplier interrupted) {
        if (folder == null) {
            return train(resume, interrupted);
        }
        try (RunLock lock = RunLock.acquire(folder)) {
            return train(resume, interrupted);
        }
    }

    private TrainResult train(Resume resume, BooleanSupplier interrupted) {
        TrainingRun run =
                new TrainingRun(settings, adapter, examples, evaluation, folder, listeners, metadataWriter, resume);
        TrainResult result;
        try {
            result = run.train(interrupted);
        } catch (RuntimeException | Error failure) {
            end(run, EndReason.FAILED).forEach(failure::addSuppressed);
            throw failure;
        }
        List<RuntimeException> failures = end(run, result.reason());
        if (!failures.isEmpty()) {
            RuntimeException first = failures.get(0);
            failures.stream().skip(1).forEach(first::addSuppressed);
            throw first;
        }
        return result;
    }

    /** Tells every listener that the run has ended, and gives what failed in that. */
    private List<RuntimeException> end(TrainingRun run, EndReason reason) {
        Ended ended = new Ended(run.step(), reason, run.elapsed());
        List<RuntimeException> failures = new ArrayList<>();
        for (TrainingListener listener : listeners) {
            try {
                listener.onEnd(ended);
            } catch (RuntimeException failure) {
                failures.add(failure);
            }
        }
        return failures;
    }
}
