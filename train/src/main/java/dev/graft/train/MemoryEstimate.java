package dev.graft.train;

import dev.graft.peft.Adapter;
import dev.graft.tensor.Natives;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Examples;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.loss.Losses;
import dev.graft.train.optim.FlatParameters;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The memory that a run needs at its widest batch, in bytes. The need of a step is measured, for any model and method. The longest row
 * goes forward and backward on the run's threads, then the two longest, and so on up to the rows of a batch. The memory of the optimiser
 * and of copies of the trained parameters is included.
 *
 * <pre>{@code
 * MemoryEstimate estimate = MemoryEstimate.of(settings, adapter, examples, Long.MAX_VALUE);
 * }</pre>
 *
 * @param loaded the peak memory of the process so far, while it loads the base
 * @param before the memory of the process before the run: the JVM, libtorch, the base, the adapter and its gradients
 * @param states the memory of the optimiser's states, the best values so far and the moving average
 * @param update the memory that the optimiser needs while it changes the parameters, after a step's own memory is free again
 * @param threads the number of threads that train at the same time
 * @param steps the memory of a step, by the rows of its batch
 * @param rows the number of rows in a batch
 * @param width the number of tokens of the longest row
 */
@RecordBuilder
public record MemoryEstimate(
        long loaded,
        long before,
        long states,
        long update,
        int threads,
        NavigableMap<Integer, Long> steps,
        int rows,
        int width)
        implements MemoryEstimateBuilder.With {
    /** A step is tried again while it takes more than this times what it took before. */
    private static final double GROWTH = 1.02;

    private static final int MOST_REPEATS = 4;

    /** Growth of the JVM's heap and the allocator's gaps in a longer run. */
    private static final double SLACK = 1.05;

    /**
     * Measures the need of a run; null where the system doesn't report the memory of a process. The adapter stays unchanged.
     *
     * @param most the maximum number of bytes for the whole process; a step that would likely need more isn't tried
     */
    public static @Nullable MemoryEstimate of(TrainSettings settings, Adapter adapter, Examples examples, long most) {
        long loaded = ResidentMemory.peak();
        MemoryEstimate estimate = measure(settings, adapter, examples, most, loaded);
        // What these steps took must not stand beside what the run takes.
        Natives.releaseMemory();
        ResidentMemory.resetPeak();
        return estimate;
    }

    private static @Nullable MemoryEstimate measure(
            TrainSettings settings, Adapter adapter, Examples examples, long most, long loaded) {
        FlatParameters parameters = new FlatParameters(adapter.trainable());
        int[] longest = longest(examples);
        long trained = parameters.values().nbytes();
        TrainSettings.Optimization optimization = settings.optimization();
        int rows = Math.min(settings.batching().size(), longest.length);
        int copies = (settings.evaluating().every().equals(Every.NEVER) ? 0 : 1)
                + (optimization.averaging() == null ? 0 : 1);
        long values = trained / Float.BYTES;
        long states = optimization.optimizer().stateBytes(values) + copies * trained;
        long update = optimization.optimizer().stepBytes(values);
        LossFunction lossFunction = Losses.of(
                adapter.base(),
                examples.objective(),
                optimization.labelSmoothing(),
                (hooks, batch) -> settings.economy().pass(hooks));
        int threads = Natives.threads();
        try (DataParallel workers = new DataParallel(lossFunction, adapter, parameters, threads)) {
            if (settings.economy().cacheBytes() >= 0) {
                workers.keepRows();
            }
            IntConsumer step = count -> {
                Batch batch = examples.batch(Arrays.copyOf(longest, count), Stepper.PAD);
                workers.backward(List.of(lossFunction.prepare(workers.hooks(), batch)), 1, settings.seed(), 0, false);
            };
            // The first pass loads what later ones have.
            step.accept(1);
            Natives.releaseMemory();
            long before = ResidentMemory.bytes();
            NavigableMap<Integer, Long> steps = new TreeMap<>();
            int width = examples.lengths()[longest[0]];
            MemoryEstimate estimate = new MemoryEstimate(loaded, before, states, update, threads, steps, rows, width);
            for (int count = 1; steps.isEmpty() || steps.lastKey() < rows; count = Math.min(2 * count, rows)) {
                if (!steps.isEmpty() && estimate.withRows(count).total() > most) {
                    break;
                }
                Natives.trim();
                if (before == 0 || !ResidentMemory.resetPeak()) {
                    return null;
                }
                long least = steps.isEmpty() ? 0 : steps.lastEntry().getValue();
                // Each of the first few takes what the gaps of those before can't hold.
                long taken = 0;
                long last = -1;
                for (int i = 0; i < MOST_REPEATS && taken > GROWTH * last; i++) {
                    last = taken;
                    step.accept(count);
                    taken = ResidentMemory.peak() - before;
                }
                steps.put(count, Math.max(least, taken));
            }
            return estimate;
        }
    }

    /** The numbers of the rows, the longest first. */
    private static int[] longest(Examples examples) {
        int[] lengths = examples.lengths();
        return IntStream.range(0, lengths.length)
                .boxed()
                .sorted((a, b) -> Integer.compare(lengths[b], lengths[a]))
                .mapToInt(Integer::intValue)
                .toArray();
    }

    /** Returns the memory of a step of so many rows: between two that were measured, or in proportion to the largest. */
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

    public long total() {
        return Math.max(loaded, Math.round(SLACK * (before + states + Math.max(update, step(rows)))));
    }

    /**
     * Returns the largest row length, in tokens, at which batches of one row stay within so many bytes. It assumes memory in proportion to
     * length.
     */
    public int widthWithin(long most) {
        double left = most / SLACK - before - states;
        return (int) Math.max(0, Math.min(width, width * left / step(1)));
    }

    /** Returns the estimate as one line, in MiB. */
    public String text() {
        return String.format(
                Locale.ROOT,
                "about %,d MiB: %,d to load, %,d before the first step, %,d for the optimiser and copies, %,d for %d"
                        + " rows of %d tokens on %d threads",
                total() >> 20,
                loaded >> 20,
                before >> 20,
                states >> 20,
                step(rows) >> 20,
                rows,
                width,
                Math.min(threads, rows));
    }
}
