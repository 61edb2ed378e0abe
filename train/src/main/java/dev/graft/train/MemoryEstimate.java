package dev.graft.train;

import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.tensor.Natives;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Examples;
import dev.graft.train.loss.Objective;
import dev.graft.train.optim.FlatParameters;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * How much memory a run will take at its widest batch, in bytes. What a step needs is measured, whatever the model and the method: the
 * longest row goes forward and backward alone, then twice at once, and the difference is what a row takes. What the optimiser and copies
 * of the trained parameters will take is counted.
 *
 * <pre>{@code
 * MemoryEstimate estimate = MemoryEstimate.of(settings, adapter, examples);
 * }</pre>
 *
 * @param loaded the most that the process has taken so far, to load the base
 * @param before what the process holds before the run: the JVM, libtorch, the base, the adapter and its gradients
 * @param states of the optimiser, gradients of further threads, the best values so far and the moving average
 * @param threads that train at the same time
 * @param eachThread what a step takes beside its rows, for each thread: logits at the head, buffers
 * @param eachRow of the longest row
 * @param rows in a batch
 * @param width tokens of the longest row
 */
public record MemoryEstimate(
        long loaded, long before, long states, int threads, long eachThread, long eachRow, int rows, int width) {
    /** What the heap of the JVM and the allocator's gaps grow by in a longer run. */
    private static final double SLACK = 1.05;

    /** Rows that one thread measures, after the first. */
    private static final int MORE = 2;

    /** Null where the system doesn't say what a process takes. The adapter stays as it is. */
    public static @Nullable MemoryEstimate of(TrainSettings settings, Adapter adapter, Examples examples) {
        long loaded = ResidentMemory.peak();
        FlatParameters parameters = new FlatParameters(adapter.trainable());
        int[] lengths = examples.lengths();
        int longest = IntStream.range(0, lengths.length)
                .reduce((a, b) -> lengths[b] > lengths[a] ? b : a)
                .orElseThrow();
        Runnable[] steps = {
            step(settings, adapter, examples, longest, 1), step(settings, adapter, examples, longest, 1 + MORE)
        };
        // The first pass loads what later ones have.
        steps[0].run();
        Pointer.trimMemory();
        long before = ResidentMemory.bytes();
        long[] peaks = new long[steps.length];
        for (int i = 0; i < steps.length; i++) {
            Pointer.trimMemory();
            if (before == 0 || !ResidentMemory.forgetPeak()) {
                return null;
            }
            steps[i].run();
            peaks[i] = Math.max(0, ResidentMemory.peak() - before);
        }
        parameters.zeroGradients();
        // What these steps have freed must not stand beside what the run takes.
        Pointer.trimMemory();
        long eachRow = Math.max(0, peaks[1] - peaks[0]) / MORE;
        long trained = parameters.values().nbytes();
        TrainSettings.Optimization optimization = settings.optimization();
        int rows = Math.min(settings.batching().size(), lengths.length);
        int threads = Math.min(Natives.threads(), rows);
        long states = optimization.optimizer().stateBytes(trained / Float.BYTES)
                + trained * (threads - 1)
                + (optimization.averaging() == null ? trained : 2 * trained);
        return new MemoryEstimate(
                loaded, before, states, threads, Math.max(0, peaks[0] - eachRow), eachRow, rows, lengths[longest]);
    }

    private static Runnable step(TrainSettings settings, Adapter adapter, Examples examples, int row, int times) {
        Objective objective = Objective.of(
                adapter.base(),
                examples.goal(),
                settings.optimization().labelSmoothing(),
                (hooks, batch) -> settings.economy().pass(hooks));
        int[] rows = new int[times];
        Arrays.fill(rows, row);
        Batch batch = objective.prepared(Hooks.NONE, examples.batch(rows, Stepper.PAD));
        return () -> objective.backward(Selection.of(adapter).hooks(), batch, 1);
    }

    /** For batches of another size. */
    public MemoryEstimate withRows(int other) {
        return new MemoryEstimate(loaded, before, states, Math.min(threads, other), eachThread, eachRow, other, width);
    }

    public long total() {
        return Math.max(loaded, Math.round(SLACK * (before + states + threads * eachThread + rows * eachRow)));
    }

    /** One line, in MB. */
    public String text() {
        return String.format(
                Locale.ROOT,
                "about %,d MB: %,d to load, %,d before the first step, %,d for the optimiser and copies, %d x %,d for %d rows of %d tokens,"
                        + " %d x %,d for threads",
                total() >> 20,
                loaded >> 20,
                before >> 20,
                states >> 20,
                rows,
                eachRow >> 20,
                rows,
                width,
                threads,
                eachThread >> 20);
    }
}
