package dev.graft.tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

/** Waits for work in several threads until none of it runs, so its resources can be freed or reused afterwards. */
public final class StructuredTasks {
    private StructuredTasks() {}

    /**
     * Returns all results after every task has ended. An interrupt during the wait doesn't end it; the thread stays interrupted.
     *
     * @throws RuntimeException the first failure, wrapped if it is checked; a {@link CancellationException} only if there is no other
     */
    public static <T> List<T> joinAll(List<Future<T>> running) {
        List<T> results = new ArrayList<>();
        Throwable failure = null;
        boolean interrupted = false;
        for (Future<T> future : running) {
            for (boolean waits = true; waits; ) {
                try {
                    results.add(future.get());
                    waits = false;
                } catch (ExecutionException thrown) {
                    if (failure == null || failure instanceof CancellationException) {
                        failure = thrown.getCause();
                    }
                    waits = false;
                } catch (InterruptedException later) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        if (failure instanceof Error fatal) {
            throw fatal;
        }
        if (failure instanceof RuntimeException wrong) {
            throw wrong;
        }
        if (failure != null) {
            throw new IllegalStateException(failure);
        }
        return results;
    }
}
