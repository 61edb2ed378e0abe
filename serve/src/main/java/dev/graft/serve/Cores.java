package dev.graft.serve;

import dev.graft.tensor.Joined;
import dev.graft.tensor.Natives;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntConsumer;

/**
 * Threads of one core each, for passes that run at once: most operations of a pass are too small to gain from a second core. A pass without
 * company is better run by the engine's own thread, which has all cores.
 */
final class Cores implements AutoCloseable {
    /** Each pass needs memory of its own. */
    private static final int MOST = 8;

    private final int threads = Natives.threads();
    private final List<ExecutorService> each = new ArrayList<>();

    /** As many as the caller's thread may use, at most eight. */
    Cores(String name) {
        for (int i = 0; threads > 1 && i < Math.min(threads, MOST); i++) {
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
        return Math.max(1, each.size());
    }

    /** Has the task run on each core, which is told its number, and waits until all are done. */
    void run(IntConsumer task) {
        if (each.isEmpty()) {
            task.accept(0);
            return;
        }
        List<Future<Integer>> running = new ArrayList<>();
        for (int i = 0; i < each.size(); i++) {
            int core = i;
            running.add(each.get(i).submit(() -> task.accept(core), core));
        }
        try {
            Joined.of(running);
        } catch (RuntimeException | Error failure) {
            throw new IllegalStateException("a pass failed: " + failure.getMessage(), failure);
        }
    }

    /** To be called when no task runs. */
    @Override
    public void close() {
        each.forEach(ExecutorService::shutdown);
    }
}
