package dev.graft.train;

import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.TaskHooks;
import dev.graft.tensor.Natives;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Examples;
import dev.graft.train.loss.Objective;
import dev.graft.train.optim.FlatParameters;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * How much memory a run will take at its widest batch, in bytes. What a step needs is measured, whatever the model and the method: the
 * longest row goes forward and backward alone, then twice at once, and so on to as many rows as a thread has. What the optimiser and copies
 * of the trained parameters will take is counted.
 *
 * <pre>{@code
 * MemoryEstimate estimate = MemoryEstimate.of(settings, adapter, examples, Long.MAX_VALUE);
 * }</pre>
 *
 * @param loaded the most that the process has taken so far, to load the base
 * @param before what the process holds before the run: the JVM, libtorch, the base, the adapter and its gradients
 * @param states of the optimiser and its update, gradients of further threads, the best values so far and the moving average
 * @param threads that train at the same time
 * @param steps what a step takes in one thread, by the number of its rows
 * @param rows in a batch
 * @param width tokens of the longest row
 */
public record MemoryEstimate(
        long loaded, long before, long states, int threads, NavigableMap<Integer, Long> steps, int rows, int width) {
    /** How many copies of the trained parameters an update makes on its way. */
    private static final int UPDATE_SCRATCH = 2;

    /** What the heap of the JVM and the allocator's gaps grow by in a longer run. */
    private static final double SLACK = 1.05;

    /**
     * Null where the system doesn't say what a process takes. The adapter stays as it is.
     *
     * @param most no step is tried that seems to take more than this, in bytes for the whole process
     */
    public static @Nullable MemoryEstimate of(TrainSettings settings, Adapter adapter, Examples examples, long most) {
        long loaded = ResidentMemory.peak();
        FlatParameters parameters = new FlatParameters(adapter.trainable());
        int[] lengths = examples.lengths();
        int longest = IntStream.range(0, lengths.length)
                .reduce((a, b) -> lengths[b] > lengths[a] ? b : a)
                .orElseThrow();
        long trained = parameters.values().nbytes();
        TrainSettings.Optimization optimization = settings.optimization();
        int rows = Math.min(settings.batching().size(), lengths.length);
        int threads = Math.min(Natives.threads(), rows);
        long states = trained * UPDATE_SCRATCH
                + optimization.optimizer().stateBytes(trained / Float.BYTES)
                + trained * (threads - 1)
                + (optimization.averaging() == null ? trained : 2 * trained);
        // The first pass loads what later ones have.
        step(settings, adapter, examples, longest, 1).run();
        Natives.giveBack();
        long before = ResidentMemory.bytes();
        NavigableMap<Integer, Long> steps = new TreeMap<>();
        MemoryEstimate estimate = new MemoryEstimate(loaded, before, states, threads, steps, rows, lengths[longest]);
        int share = estimate.rowsEach();
        for (int tried = 1; steps.isEmpty() || steps.lastKey() < share; tried = Math.min(2 * tried, share)) {
            if (!steps.isEmpty() && estimate.withRows(tried * threads).total() > most) {
                break;
            }
            Runnable step = step(settings, adapter, examples, longest, tried);
            Pointer.trimMemory();
            if (before == 0 || !ResidentMemory.forgetPeak()) {
                return null;
            }
            // The second one takes what the gaps of the first can't hold.
            step.run();
            step.run();
            long least = steps.isEmpty() ? 0 : steps.lastEntry().getValue();
            steps.put(tried, Math.max(least, ResidentMemory.peak() - before));
        }
        parameters.zeroGradients();
        // What these steps took must not stand beside what the run takes.
        Natives.giveBack();
        ResidentMemory.forgetPeak();
        return estimate;
    }

    private int rowsEach() {
        return (rows + threads - 1) / threads;
    }

    /** What a step of so many rows takes in one thread: between two that were measured, or in proportion to the largest. */
    private long step(int some) {
        Map.Entry<Integer, Long> above = steps.ceilingEntry(some);
        Map.Entry<Integer, Long> below = steps.floorEntry(some);
        if (above == null) {
            Map.Entry<Integer, Long> last = steps.lastEntry();
            return last.getValue() * some / last.getKey();
        }
        if (below == null || below.getKey().equals(above.getKey())) {
            return above.getValue();
        }
        long more = (above.getValue() - below.getValue()) * (some - below.getKey());
        return below.getValue() + more / (above.getKey() - below.getKey());
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
        return () -> objective.backward(TaskHooks.of(adapter), batch, 1);
    }

    /** For batches of another size. */
    public MemoryEstimate withRows(int other) {
        return new MemoryEstimate(loaded, before, states, Math.min(threads, other), steps, other, width);
    }

    public long total() {
        return Math.max(loaded, Math.round(SLACK * (before + states + threads * step(rowsEach()))));
    }

    /**
     * How long rows may be so that one at a time stays within so many bytes, if what a step takes is in proportion to their length; a
     * quarter less, since some of it isn't.
     */
    public int widthWithin(long most) {
        double left = most / SLACK - before - states;
        return (int) Math.max(0, Math.min(width, 0.75 * width * left / step(1)));
    }

    /** One line, in MB. */
    public String text() {
        return String.format(
                Locale.ROOT,
                "about %,d MB: %,d to load, %,d before the first step, %,d for the optimiser and copies, %,d for %d rows of %d tokens"
                        + " on %d threads",
                total() >> 20,
                loaded >> 20,
                before >> 20,
                states >> 20,
                threads * step(rowsEach()) >> 20,
                rows,
                width,
                threads);
    }
}
