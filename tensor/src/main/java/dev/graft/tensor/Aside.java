package dev.graft.tensor;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;

/**
 * Work in a thread of its own, which ends with it. Every thread that runs an operation gets OpenMP workers for as long as it lives, and
 * where all threads together have more of them than there are cores, workers no longer wait actively for the next operation: each then
 * starts about a tenth of a millisecond late. So what only prepares, such as loading, is done aside where another thread calculates.
 *
 * <pre>{@code
 * Base base = Aside.run(() -> Base.load("smollm2", options));
 * }</pre>
 */
public final class Aside {
    private Aside() {}

    /** What the work gives, or throws. */
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
