package dev.graft.tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The loops ({@code src/main/native}) that a function of some tensors ran, to be run again for others by one call on the threads of an operation: without what Java and
 * libtorch take to ask for each, which is more than a small one takes (as CUDA graphs do). What else the function did isn't done again, so it is for functions of such
 * loops alone; where that isn't known, {@link #again} is compared with the function. All that the loops read and write is kept. Used by one thread.
 *
 * <pre>{@code
 * Recording recording = Recording.of(List.of(x), () -> Fused.add(x, bias));
 * Tensor y = recording.again(List.of(other));
 * }</pre>
 */
public final class Recording implements AutoCloseable {
    private static final ThreadLocal<Recording> OPEN = new ThreadLocal<>();

    private final List<Tensor> given;
    private final List<Object> kept = new ArrayList<>();
    private final int threads = Natives.threads();
    private final long loops = Kernels.record();
    private final Tensor answer;
    private boolean isClosed;

    private Recording(List<Tensor> given, Supplier<Tensor> function) {
        OPEN.set(this);
        boolean whole = false;
        try {
            this.given = kept(given.toArray(Tensor[]::new));
            answer = kept(function.get()).get(0);
            whole = true;
        } finally {
            OPEN.remove();
            Kernels.recorded();
            if (!whole) {
                close();
            }
        }
    }

    /** Whether there are loops on this processor. */
    public static boolean isPossible() {
        return Kernels.areAvailable();
    }

    /**
     * Runs a function, for which no gradient is recorded.
     *
     * @param given made for this run alone: later runs are given others in its place
     */
    public static Recording of(List<Tensor> given, Supplier<Tensor> function) {
        if (OPEN.get() != null) {
            throw new IllegalStateException("what is recorded can't record");
        }
        return new Recording(given, function);
    }

    /** Keeps what a loop was given, where the thread records. */
    static void keep(@Nullable Object... objects) {
        Recording open = OPEN.get();
        if (open != null) {
            open.kept(objects);
        }
    }

    /** Handles of its own of tensors, and other objects as they are. */
    private List<Tensor> kept(@Nullable Object... objects) {
        List<Tensor> tensors = new ArrayList<>();
        try (Scope scope = new Scope()) {
            for (Object object : objects) {
                if (object instanceof Tensor tensor) {
                    tensors.add(scope.release(new Tensor(tensor)));
                } else if (object != null) {
                    kept.add(object);
                }
            }
        }
        kept.addAll(tensors);
        return tensors;
    }

    /** What the function gave; a copy. */
    public Tensor answer() {
        return answer.clone();
    }

    /**
     * What the function would give for these.
     *
     * @param others of the shapes and types of what was given
     */
    public Tensor again(List<Tensor> others) {
        if (isClosed || others.size() != given.size()) {
            throw new IllegalArgumentException(
                    others.size() + " tensors, expected " + (isClosed ? "none more" : given.size()));
        }
        for (int i = 0; i < others.size(); i++) {
            given.get(i).copy_(others.get(i));
        }
        Kernels.repeat(loops, threads);
        return answer();
    }

    /** Frees what it has kept. */
    @Override
    public void close() {
        if (!isClosed) {
            isClosed = true;
            Kernels.forget(loops);
            for (Object each : kept) {
                if (each instanceof Tensor tensor) {
                    tensor.close();
                }
            }
            kept.clear();
        }
    }
}
