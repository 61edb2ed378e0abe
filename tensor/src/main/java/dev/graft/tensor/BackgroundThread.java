package dev.graft.tensor;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;

/**
 * Runs work in a short-lived thread of its own and waits for it. Every thread that runs an operation gets OpenMP workers for its lifetime. If all
 * threads together have more workers than there are cores, workers stop waiting actively, and each starts about a tenth of a millisecond late. So
 * preparation, such as loading, runs in a short-lived thread while another thread computes.
 *
 * <pre>{@code
 * Base base = BackgroundThread.run(() -> Base.load("smollm2", options));
 * }</pre>
 */
public final class BackgroundThread {
    private BackgroundThread() {}

    /** Returns the result of the work, or throws its exception. */
    public static <T> T run(Supplier<T> work) {
        String name = Thread.currentThread().getName() + "-aside";
        try {
            return CompletableFuture.supplyAsync(work, task -> new Thread(task, name).start())
                    .join();
        } catch (CompletionException thrown) {
            if (thrown.getCause() instanceof RuntimeException exception) {
                throw exception;
            }
            if (thrown.getCause() instanceof Error error) {
                throw error;
            }
            throw thrown;
        }
    }
}
