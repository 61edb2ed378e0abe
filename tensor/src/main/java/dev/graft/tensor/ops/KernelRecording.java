package dev.graft.tensor.ops;

import dev.graft.tensor.Natives;
import dev.graft.tensor.Scope;
import dev.graft.tensor.internal.kernels.Kernels;
import dev.graft.tensor.internal.kernels.Operand;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A recording of the loops ({@code src/main/native}) that a function of tensors ran. One call replays them for other values, without the overhead
 * of Java and libtorch for each loop, as CUDA graphs do. Other effects of the function are not replayed, so it must consist of these loops alone.
 * If that is uncertain, compare {@link #replay} with the function. The recording keeps all memory that the loops use. Used by one thread.
 *
 * <pre>{@code
 * KernelRecording recording = KernelRecording.of(List.of(x), () -> FusedOps.add(x, bias));
 * Tensor y = recording.replay(List.of(other));
 * }</pre>
 */
public final class KernelRecording implements AutoCloseable {
    private final List<Tensor> given;
    private final List<Object> kept = new ArrayList<>();
    private final int threads = Natives.threads();
    private final long loops = record();
    private final Tensor output;
    private boolean isClosed;

    private KernelRecording(List<Tensor> given, Supplier<Tensor> function) {
        Operand.keepWith(this::kept);
        boolean whole = false;
        try {
            this.given = kept(given.toArray(Tensor[]::new));
            output = kept(function.get()).get(0);
            whole = true;
        } finally {
            Operand.keepWith(null);
            whole &= recorded() != 0;
            if (!whole) {
                close();
            }
        }
        if (!whole) {
            throw new OutOfMemoryError("no native memory to record loops");
        }
    }

    /** Returns whether there are loops for this processor. */
    public static boolean isAvailable() {
        return Kernels.areAvailable();
    }

    /**
     * Runs and records a function, without a gradient.
     *
     * @param given the function's inputs, made for this run alone: later runs overwrite their values
     * @throws IllegalStateException if this thread is already recording
     */
    public static KernelRecording of(List<Tensor> given, Supplier<Tensor> function) {
        if (Operand.isRecording()) {
            throw new IllegalStateException("this thread is already recording; a recording can't contain another");
        }
        return new KernelRecording(given, function);
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

    /** Returns a copy of the recorded result. */
    public Tensor output() {
        return output.clone();
    }

    /**
     * Returns the function's result for other values.
     *
     * @param others the inputs, with the shapes and types of the recorded ones
     * @throws IllegalArgumentException if their number differs or the recording is closed
     */
    public Tensor replay(List<Tensor> others) {
        if (isClosed || others.size() != given.size()) {
            throw new IllegalArgumentException(
                    others.size() + " tensors, expected " + (isClosed ? "none more" : given.size()));
        }
        for (int i = 0; i < others.size(); i++) {
            given.get(i).copy_(others.get(i));
        }
        repeat(loops, threads);
        return output();
    }

    /** Frees the memory of the recording. */
    @Override
    public void close() {
        if (!isClosed) {
            isClosed = true;
            forget(loops);
            for (Object each : kept) {
                if (each instanceof Tensor tensor) {
                    tensor.close();
                }
            }
            kept.clear();
        }
    }

    /** Starts to record the loops of this thread for {@link #repeat}; returns the recording's address. */
    private static native long record();

    /** Stops recording; returns 0 if there wasn't memory for all loops. */
    private static native int recorded();

    /** Runs the recorded loops again. */
    private static native void repeat(long recording, int threads);

    private static native void forget(long recording);
}
