package dev.graft.serve;

import dev.graft.tensor.Natives;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;

/**
 * Threads of one core each, for passes that run at once: most operations of a pass are too small to gain from a second core. A pass without
 * company is better run by the engine's own thread, which has all cores.
 */
final class Cores implements AutoCloseable {
    private final int threads = Natives.threads();
    private final List<ExecutorService> each = new ArrayList<>();

    /** As many as the caller's thread may use. */
    Cores(String name) {
        for (int i = 0; threads > 1 && i < threads; i++) {
            String own = name + "-" + i;
            each.add(Executors.newSingleThreadExecutor(work -> {
                Thread thread = new Thread(work, own);
                thread.setDaemon(true);
                return thread;
            }));
        }
    }

    /** Makes them ready, and the engine's thread, which calls this first. */
    void begin() {
        run(core -> Natives.threads(1));
        // Also for threads to come, which begin with what was set last.
        Natives.threads(threads);
    }

    int count() {
        return threads;
    }

    /** Has the task run on each core, which is told its number, and waits until all are done. */
    void run(IntConsumer task) {
        if (each.isEmpty()) {
            task.accept(0);
            return;
        }
        List<Future<?>> running = new ArrayList<>();
        for (int i = 0; i < each.size(); i++) {
            int core = i;
            running.add(each.get(i).submit(() -> task.accept(core)));
        }
        Throwable failure = null;
        for (Future<?> future : running) {
            try {
                future.get();
            } catch (ExecutionException thrown) {
                failure = thrown.getCause();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted while passes ran", interrupted);
            }
        }
        if (failure != null) {
            throw new IllegalStateException("a pass failed: " + failure.getMessage(), failure);
        }
    }

    @Override
    public void close() {
        each.forEach(ExecutorService::shutdown);
        try {
            for (ExecutorService core : each) {
                core.awaitTermination(1, TimeUnit.MINUTES);
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
