package dev.graft.train;

import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.TaskHooks;
import dev.graft.tensor.Natives;
import dev.graft.tensor.StructuredTasks;
import dev.graft.tensor.ops.Dropout;
import dev.graft.train.data.Batch;
import dev.graft.train.loss.Loss;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.loss.LossFunction.ExpertLoad;
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
 * Data parallelism over the cores of one machine. Each thread computes the gradients of some rows of every batch on one core, and the
 * threads' gradients are added in a fixed order. Most operations of a training step are too small to gain from a second core; whole rows
 * are not. Where only attention looks beyond a token, the rows of a thread are packed into one row. Then no padding is computed and work is
 * shared out evenly; a prompt or prefix is in it once.
 */
public final class DataParallel implements AutoCloseable {
    private final LossFunction lossFunction;
    private final boolean prompted;
    private boolean packs;
    private boolean trims;
    private final List<Worker> workers = new ArrayList<>();

    private record Worker(Hooks hooks, FlatParameters parameters, ExecutorService thread) {}

    /**
     * The result of all workers.
     *
     * @param unreached names of parameters that no gradient reaches; empty unless the call asked for the check
     */
    public record BackwardResult(Loss loss, List<String> unreached) {}

    private record WorkerResult(Loss loss, List<String> unreached) {}

    /**
     * Creates the workers for an adapter.
     *
     * @param parameters the adapter's parameters, which receive the sum of the gradients
     * @param threads the number of workers, at least 1
     */
    public DataParallel(LossFunction lossFunction, Adapter adapter, FlatParameters parameters, int threads) {
        this.lossFunction = lossFunction;
        Hooks hooks = TaskHooks.of(adapter);
        this.packs = lossFunction.canPack(hooks);
        this.prompted = packs && lossFunction.hasPrompt(hooks);
        for (int i = 0; i < threads; i++) {
            Adapter own = i == 0 ? adapter : adapter.replica();
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

    /** Disables packing: from now on each row of a batch stays a row of its own, even where packing would be faster. */
    public void keepRows() {
        packs = false;
    }

    /**
     * Returns free memory to the system before each further batch of a step, and drops the products compiled for the last one. Rows of
     * another length don't fit the free blocks and need other products.
     */
    public void trimBetweenBatches() {
        trims = true;
    }

    /** Prepares every worker for a step of the optimiser, counted from 0. */
    public void prepare(long step) {
        workers.forEach(worker -> worker.parameters.prepare(step));
    }

    /** Freezes these parameters for the rest of the run. */
    public void freeze(Set<String> names) {
        workers.forEach(worker -> worker.parameters.freeze(names));
    }

    /** Returns the hooks that apply the adapter to its base. */
    public Hooks hooks() {
        return workers.get(0).hooks;
    }

    /**
     * Computes the gradient of {@code sum / divisor} over all batches.
     *
     * @param seed the seed of the run; dropout depends on it and the step
     * @param check true to look for parameters that no gradient reaches
     */
    public BackwardResult backward(List<Batch> batches, double divisor, long seed, long step, boolean check) {
        return backward(batches, divisor, seed, step, check, () -> false);
    }

    /**
     * Computes the gradient of {@code sum / divisor} over all batches.
     *
     * @param interrupted checked between batches by every thread; once it is true, the gradient is abandoned
     * @throws CancellationException if it was interrupted
     */
    BackwardResult backward(
            List<Batch> batches, double divisor, long seed, long step, boolean check, BooleanSupplier interrupted) {
        List<List<Batch>> work = new ArrayList<>();
        workers.forEach(worker -> work.add(new ArrayList<>()));
        for (Batch batch : batches) {
            List<Batch> parts = packs && batch.canPack(prompted)
                    ? batch.packed(workers.size(), prompted)
                    : batch.parts(workers.size());
            for (int i = 0; i < parts.size(); i++) {
                work.get(i).add(parts.get(i));
            }
        }
        ExpertLoad load = load(work);
        List<Future<WorkerResult>> running = new ArrayList<>();
        for (int i = 0; i < workers.size(); i++) {
            Worker worker = workers.get(i);
            List<Batch> own = work.get(i);
            int number = i;
            running.add(worker.thread.submit(() -> {
                Dropout.seed(seed, step, number);
                return backwardPart(worker, own, divisor, load, check, interrupted);
            }));
        }
        List<WorkerResult> parts = StructuredTasks.joinAll(running);
        if (Thread.currentThread().isInterrupted()) {
            throw new TrainingException("interrupted while gradients were formed");
        }
        Loss loss = Loss.NONE;
        List<String> unreached = new ArrayList<>(parts.get(0).unreached);
        for (WorkerResult part : parts) {
            loss = loss.plus(part.loss);
            unreached.retainAll(part.unreached);
        }
        for (Worker worker : workers.subList(1, workers.size())) {
            workers.get(0).parameters.addGradients(worker.parameters);
        }
        return new BackwardResult(loss, unreached);
    }

    /** Returns what the parts of a step must know of each other. */
    private @Nullable ExpertLoad load(List<List<Batch>> work) {
        ExpertLoad load = null;
        if (work.stream().mapToInt(List::size).sum() > 1) {
            for (Batch batch : work.stream().flatMap(List::stream).toList()) {
                ExpertLoad more = lossFunction.expertLoad(hooks(), batch);
                if (more == null) {
                    return null;
                }
                load = load == null ? more : load.plus(more);
            }
        }
        return load;
    }

    private WorkerResult backwardPart(
            Worker worker,
            List<Batch> batches,
            double divisor,
            @Nullable ExpertLoad load,
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
                Natives.freeCompiled();
                Natives.trim();
            }
            Batch batch = batches.get(i);
            Runnable backward = () -> sum[0] = sum[0].plus(lossFunction.backward(worker.hooks, batch, divisor, load));
            if (unreached.isEmpty()) {
                backward.run();
            } else {
                unreached = worker.parameters.unreachedBy(unreached, backward);
            }
        }
        return new WorkerResult(sum[0], unreached);
    }

    @Override
    public void close() {
        workers.forEach(worker -> worker.thread.shutdown());
    }
}
