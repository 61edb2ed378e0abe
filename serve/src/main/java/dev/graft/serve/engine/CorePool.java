package dev.graft.serve.engine;

import dev.graft.tensor.Natives;
import dev.graft.tensor.StructuredTasks;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntConsumer;

/**
 * Threads of one core each, for concurrent passes: most operations of a pass are too small to gain from a second core. A single pass is
 * faster on the engine's own thread, which has all cores.
 */
final class CorePool implements AutoCloseable {
    /** The maximum number of threads, as each pass needs its own memory. */
    private static final int MAX_CORES = 8;

    private final int threads = Natives.threads();
    private final List<ExecutorService> executors = new ArrayList<>();

    /** Creates as many threads as the caller's thread may use, at most eight. */
    CorePool(String name) {
        for (int i = 0; threads > 1 && i < Math.min(threads, MAX_CORES); i++) {
            String own = name + "-" + i;
            executors.add(Executors.newSingleThreadExecutor(work -> {
                Thread thread = new Thread(work, own);
                thread.setDaemon(true);
                return thread;
            }));
        }
    }

    /** Sets the cores of each thread, and of the engine's thread, which calls this first. */
    void start() {
        run(core -> {
            // A thread takes the number that was set last when it is first asked for its own, whatever was set in it
            // before.
            Natives.threads();
            Natives.threads(1);
        });
        // Also for threads to come, which begin with what was set last.
        Natives.threads(threads);
    }

    int count() {
        return Math.max(1, executors.size());
    }

    /** Runs the task on each core with the core's number, and waits until all are done. */
    void run(IntConsumer task) {
        if (executors.isEmpty()) {
            task.accept(0);
            return;
        }
        List<Future<Integer>> running = new ArrayList<>();
        for (int i = 0; i < executors.size(); i++) {
            int core = i;
            running.add(executors.get(i).submit(() -> task.accept(core), core));
        }
        try {
            StructuredTasks.joinAll(running);
        } catch (RuntimeException | Error failure) {
            throw new IllegalStateException("a pass failed: " + failure.getMessage(), failure);
        }
    }

    /** Stops the threads. No task may be running. */
    @Override
    public void close() {
        executors.forEach(ExecutorService::shutdown);
    }
}
