package dev.graft.tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

/** Work that runs in several threads at once, waited for until none of it runs: what it uses is freed or used again afterwards. */
public final class Joined {
    private Joined() {}

    /**
     * What all gave. A thread that is interrupted meanwhile waits on and stays interrupted.
     *
     * @throws RuntimeException the first failure; one that isn't a {@link CancellationException} where there is such a one
     */
    public static <T> List<T> of(List<Future<T>> running) {
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
        return results;
    }
}
