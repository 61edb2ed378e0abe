package dev.graft.serve;

import dev.graft.models.Base;
import dev.graft.tensor.Natives;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;

/**
 * Runs several passes at once, each on a core of its own, since most operations of a pass are too small to gain from a second one. A pass
 * without company has all cores.
 */
final class Readers implements AutoCloseable {
    private final WholePasses alone;
    private final int threads;
    private final List<Reader> readers = new ArrayList<>();

    private record Reader(WholePasses passes, ExecutorService thread) {}

    /**
     * Readers that have the caller's number of threads.
     *
     * @param rows the most texts of a pass
     */
    Readers(Base base, int rows, Engine.Observer observer) {
        this.alone = new WholePasses(base, rows, observer);
        this.threads = Natives.threads();
        for (int i = 0; threads > 1 && i < threads; i++) {
            String name = "graft-encoder-" + i;
            ExecutorService thread = Executors.newSingleThreadExecutor(work -> {
                Thread made = new Thread(work, name);
                made.setDaemon(true);
                return made;
            });
            readers.add(new Reader(new WholePasses(base, rows, observer), thread));
        }
    }

    /** Makes ready the thread that will call {@link #read}. */
    void begin() {
        join(readers.stream()
                .map(reader -> reader.thread.submit(() -> Natives.threads(1)))
                .toList());
        // Also for threads to come, which begin with what was set last.
        Natives.threads(threads);
    }

    /** How many passes may run at once. */
    int count() {
        return threads;
    }

    /** Has all batches read by calls of {@code read}, of which each runs what it is given. */
    void read(List<List<WholeText>> batches, BiConsumer<List<WholeText>, WholePasses> read) {
        if (batches.size() == 1 || readers.isEmpty()) {
            batches.forEach(batch -> read.accept(batch, alone));
            return;
        }
        // The longest first, so that the readers finish at about the same time.
        Queue<List<WholeText>> left = new ConcurrentLinkedQueue<>(batches.stream()
                .sorted(Comparator.comparingInt(Readers::size).reversed())
                .toList());
        join(readers.stream()
                .map(reader -> reader.thread.submit(() -> {
                    for (List<WholeText> batch = left.poll(); batch != null; batch = left.poll()) {
                        read.accept(batch, reader.passes);
                    }
                }))
                .toList());
    }

    private static int size(List<WholeText> batch) {
        return batch.size() * batch.get(0).width();
    }

    private static void join(List<? extends Future<?>> running) {
        ExecutionException failure = null;
        for (Future<?> each : running) {
            try {
                each.get();
            } catch (ExecutionException error) {
                failure = error;
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted while texts were read", interrupted);
            }
        }
        if (failure != null) {
            throw new IllegalStateException("a reader failed: " + failure.getCause(), failure.getCause());
        }
    }

    @Override
    public void close() {
        alone.close();
        for (Reader reader : readers) {
            reader.thread.execute(reader.passes::close);
            reader.thread.shutdown();
        }
        try {
            for (Reader reader : readers) {
                reader.thread.awaitTermination(1, TimeUnit.MINUTES);
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
