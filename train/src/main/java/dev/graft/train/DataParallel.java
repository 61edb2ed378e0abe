package dev.graft.train;

import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.TaskHooks;
import dev.graft.tensor.Dropout;
import dev.graft.tensor.Joined;
import dev.graft.tensor.Natives;
import dev.graft.train.data.Batch;
import dev.graft.train.loss.Loss;
import dev.graft.train.loss.Objective;
import dev.graft.train.loss.Objective.Load;
import dev.graft.train.optim.FlatParameters;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Gradients by several threads at once: each takes some rows of every batch, on one core, with gradients of its own that are added in a
 * fixed order. Most operations of a training step are too small to gain from a second core; whole rows do. Where nothing looks beyond a
 * token but attention, the rows of a thread stand in one row, so that no padding is computed and work is shared out evenly; a prompt or prefix
 * stands there once.
 */
public final class DataParallel implements AutoCloseable {
    private final Objective objective;
    private final boolean prompted;
    private boolean packs;
    private boolean trims;
    private final List<Worker> workers = new ArrayList<>();

    private record Worker(Hooks hooks, FlatParameters parameters, ExecutorService thread) {}

    /**
     * What the workers found.
     *
     * @param unreached names of parameters that no gradient reaches; only looked for when asked
     */
    public record Outcome(Loss loss, List<String> unreached) {}

    private record Part(Loss loss, List<String> unreached) {}

    /**
     * Workers for an adapter.
     *
     * @param parameters those of the adapter: they receive the sum of the gradients
     * @param threads how many, at least 1
     */
    public DataParallel(Objective objective, Adapter adapter, FlatParameters parameters, int threads) {
        this.objective = objective;
        Hooks hooks = TaskHooks.of(adapter);
        this.packs = objective.packs(hooks);
        this.prompted = packs && objective.prompts(hooks);
        for (int i = 0; i < threads; i++) {
            Adapter own = i == 0 ? adapter : adapter.twin();
            int number = i;
            ExecutorService thread = Executors.newSingleThreadExecutor(work -> {
                Runnable onOneCore = () -> {
                    Natives.threads(1);
                    work.run();
                };
                Thread made = new Thread(threads > 1 ? onOneCore : work, "graft-train-" + number);
                made.setDaemon(true);
                return made;
            });
            workers.add(new Worker(
                    TaskHooks.of(own), i == 0 ? parameters : new FlatParameters(parameters, own.trainable()), thread));
        }
    }

    /** From now on a row of a batch stays a row, whatever would be faster. */
    public void keepRows() {
        packs = false;
    }

    /**
     * From now on the system gets back what is free before each further batch of a step, and what was compiled for the last one is forgotten: rows of
     * another length don't fit the gaps and need other products.
     */
    public void trimBetweenBatches() {
        trims = true;
    }

    /** Prepares every worker for a step of the optimiser, counted from 0. */
    public void prepare(long step) {
        workers.forEach(worker -> worker.parameters.prepare(step));
    }

    /** From now on these parameters stay as they are. */
    public void freeze(Set<String> names) {
        workers.forEach(worker -> worker.parameters.freeze(names));
    }

    /** The hooks of the adapter. */
    public Hooks hooks() {
        return workers.get(0).hooks;
    }

    /**
     * Forms the gradient of {@code sum / divisor} over all batches.
     *
     * @param seed of the run, and the step: what dropout depends on
     * @param check whether to look for parameters that no gradient reaches
     */
    public Outcome backward(List<Batch> batches, double divisor, long seed, long step, boolean check) {
        return backward(batches, divisor, seed, step, check, () -> false);
    }

    /**
     * Forms the gradient of {@code sum / divisor} over all batches.
     *
     * @param interrupted asked between batches by every thread; once it is true, the gradient is abandoned
     * @throws CancellationException if it was interrupted
     */
    Outcome backward(
            List<Batch> batches, double divisor, long seed, long step, boolean check, BooleanSupplier interrupted) {
        List<List<Batch>> work = new ArrayList<>();
        workers.forEach(worker -> work.add(new ArrayList<>()));
        for (Batch batch : batches) {
            List<Batch> parts = packs && batch.packs(prompted)
                    ? batch.packed(workers.size(), prompted)
                    : batch.parts(workers.size());
            for (int i = 0; i < parts.size(); i++) {
                work.get(i).add(parts.get(i));
            }
        }
        Load load = load(work);
        List<Future<Part>> running = new ArrayList<>();
        for (int i = 0; i < workers.size(); i++) {
            Worker worker = workers.get(i);
            List<Batch> own = work.get(i);
            int number = i;
            running.add(worker.thread.submit(() -> {
                Dropout.seed(seed, step, number);
                return part(worker, own, divisor, load, check, interrupted);
            }));
        }
        List<Part> parts = Joined.of(running);
        if (Thread.currentThread().isInterrupted()) {
            throw new TrainingException("interrupted while gradients were formed");
        }
        Loss loss = Loss.NONE;
        List<String> unreached = new ArrayList<>(parts.get(0).unreached);
        for (Part part : parts) {
            loss = loss.plus(part.loss);
            unreached.retainAll(part.unreached);
        }
        for (Worker worker : workers.subList(1, workers.size())) {
            workers.get(0).parameters.addGradients(worker.parameters);
        }
        return new Outcome(loss, unreached);
    }

    /** What the parts of a step must know of each other. */
    private @Nullable Load load(List<List<Batch>> work) {
        Load load = null;
        if (work.stream().mapToInt(List::size).sum() > 1) {
            for (Batch batch : work.stream().flatMap(List::stream).toList()) {
                Load more = objective.load(hooks(), batch);
                if (more == null) {
                    return null;
                }
                load = load == null ? more : load.plus(more);
            }
        }
        return load;
    }

    private Part part(
            Worker worker,
            List<Batch> batches,
            double divisor,
            @Nullable Load load,
            boolean check,
            BooleanSupplier interrupted) {
        Loss[] sum = {Loss.NONE};
        worker.parameters.zeroGradients();
        List<String> unreached =
                check ? List.copyOf(worker.parameters.parameters().keySet()) : List.of();
        for (int i = 0; i < batches.size(); i++) {
            if (i > 0 && interrupted.getAsBoolean()) {
                throw new CancellationException("interrupted while gradients were formed");
            }
            if (i > 0 && trims) {
                Natives.forgetCompiled();
                Natives.trim();
            }
            Batch batch = batches.get(i);
            Runnable backward = () -> sum[0] = sum[0].plus(objective.backward(worker.hooks, batch, divisor, load));
            if (unreached.isEmpty()) {
                backward.run();
            } else {
                unreached = worker.parameters.unreachedBy(unreached, backward);
            }
        }
        return new Part(sum[0], unreached);
    }

    @Override
    public void close() {
        workers.forEach(worker -> worker.thread.shutdown());
    }
}
