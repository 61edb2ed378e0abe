package dev.graft.train;

import dev.graft.peft.Adapter;
import dev.graft.tensor.Natives;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Examples;
import dev.graft.train.loss.Objective;
import dev.graft.train.optim.FlatParameters;
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
 * How much memory a run will take at its widest batch, in bytes. What a step needs is measured, whatever the model and the method: the
 * longest row goes forward and backward as in the run, on the threads of the run, then the two longest, and so on to the rows of a batch.
 * What the optimiser and copies of the trained parameters will take is counted.
 *
 * <pre>{@code
 * MemoryEstimate estimate = MemoryEstimate.of(settings, adapter, examples, Long.MAX_VALUE);
 * }</pre>
 *
 * @param loaded the most that the process has taken so far, to load the base
 * @param before what the process holds before the run: the JVM, libtorch, the base, the adapter and its gradients
 * @param states of the optimiser, the best values so far and the moving average
 * @param update what the optimiser takes while it changes the parameters, when a step's own has been given back
 * @param threads that train at the same time
 * @param steps what a step takes, by the rows of its batch
 * @param rows in a batch
 * @param width tokens of the longest row
 */
public record MemoryEstimate(
        long loaded,
        long before,
        long states,
        long update,
        int threads,
        NavigableMap<Integer, Long> steps,
        int rows,
        int width) {
    /** A step is tried again while it takes more than this times what it took before. */
    private static final double GROWTH = 1.02;

    private static final int MOST_REPEATS = 4;

    /** What the heap of the JVM and the allocator's gaps grow by in a longer run. */
    private static final double SLACK = 1.05;

    /**
     * Null where the system doesn't say what a process takes. The adapter stays as it is.
     *
     * @param most no step is tried that seems to take more than this, in bytes for the whole process
     */
    public static @Nullable MemoryEstimate of(TrainSettings settings, Adapter adapter, Examples examples, long most) {
        long loaded = ResidentMemory.peak();
        MemoryEstimate estimate = tried(settings, adapter, examples, most, loaded);
        // What these steps took must not stand beside what the run takes.
        Natives.giveBack();
        ResidentMemory.forgetPeak();
        return estimate;
    }

    private static @Nullable MemoryEstimate tried(
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
        Objective objective = Objective.of(
                adapter.base(),
                examples.goal(),
                optimization.labelSmoothing(),
                (hooks, batch) -> settings.economy().pass(hooks));
        int threads = Natives.threads();
        try (DataParallel workers = new DataParallel(objective, adapter, parameters, threads)) {
            if (settings.economy().cacheBytes() >= 0) {
                workers.keepRows();
            }
            IntConsumer step = count -> {
                Batch batch = examples.batch(Arrays.copyOf(longest, count), Stepper.PAD);
                workers.backward(List.of(objective.prepared(workers.hooks(), batch)), 1, settings.seed(), 0, false);
            };
            // The first pass loads what later ones have.
            step.accept(1);
            Natives.giveBack();
            long before = ResidentMemory.bytes();
            NavigableMap<Integer, Long> steps = new TreeMap<>();
            int width = examples.lengths()[longest[0]];
            MemoryEstimate estimate = new MemoryEstimate(loaded, before, states, update, threads, steps, rows, width);
            for (int count = 1; steps.isEmpty() || steps.lastKey() < rows; count = Math.min(2 * count, rows)) {
                if (!steps.isEmpty() && estimate.withRows(count).total() > most) {
                    break;
                }
                Natives.trim();
                if (before == 0 || !ResidentMemory.forgetPeak()) {
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

    /** What a step of so many rows takes: between two that were measured, or in proportion to the largest. */
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

    /** For batches of another size. */
    public MemoryEstimate withRows(int other) {
        return new MemoryEstimate(loaded, before, states, update, threads, steps, other, width);
    }

    public long total() {
        return Math.max(loaded, Math.round(SLACK * (before + states + Math.max(update, step(rows)))));
    }

    /** How long rows may be so that one at a time stays within so many bytes, if what a step takes is in proportion to their length. */
    public int widthWithin(long most) {
        double left = most / SLACK - before - states;
        return (int) Math.max(0, Math.min(width, width * left / step(1)));
    }

    /** One line, in MiB. */
    public String text() {
        return String.format(
                Locale.ROOT,
                "about %,d MiB: %,d to load, %,d before the first step, %,d for the optimiser and copies, %,d for %d rows of %d tokens"
                        + " on %d threads",
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
