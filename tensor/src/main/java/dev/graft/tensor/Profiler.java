package dev.graft.tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Measures the time of training by operation and layer, forward and backward. While it is off, an operation costs one read of a flag.
 *
 * <pre>{@code
 * Profiler.start();
 * ...
 * Profiler.stop().forEach(entry -> System.out.println(entry.operation() + ": " + entry.forwardNanos() / 1e6 + " ms"));
 * }</pre>
 */
public final class Profiler {
    private static volatile boolean on;
    private static final Map<Key, Times> TIMES = new ConcurrentHashMap<>();
    private static final ThreadLocal<Place> PLACE = ThreadLocal.withInitial(Place::new);

    private record Key(String operation, int layer) {}

    private static final class Place {
        private Key now = new Key("other", -1);
        private boolean again;
    }

    private static final class Times {
        private final LongAdder forward = new LongAdder();
        private final LongAdder backward = new LongAdder();
        private final LongAdder calls = new LongAdder();
    }

    /**
     * The time of an operation in a layer, summed over threads.
     *
     * @param layer the index of the layer, -1 for none
     * @param calls the number of forward calls
     * @param forwardNanos the forward time in nanoseconds
     * @param backwardNanos the backward time in nanoseconds, including recomputation by gradient checkpointing
     */
    public record Timing(String operation, int layer, long calls, long forwardNanos, long backwardNanos) {}

    /** A running measurement of one call; {@link #end} adds its time. */
    public static final class Mark {
        private final Times times;
        private final boolean backward;
        private final long start = System.nanoTime();

        private Mark(Times times, boolean backward) {
            this.times = times;
            this.backward = backward;
        }

        public void end() {
            long took = System.nanoTime() - start;
            (backward ? times.backward : times.forward).add(took);
            if (!backward) {
                times.calls.increment();
            }
        }
    }

    private Profiler() {}

    /** Clears all measurements and starts measuring on all threads. */
    public static void start() {
        TIMES.clear();
        on = true;
    }

    /** Stops measuring and returns the measured times. */
    public static List<Timing> stop() {
        on = false;
        List<Timing> entries = new ArrayList<>();
        TIMES.forEach((key, times) -> entries.add(
                new Timing(key.operation, key.layer, times.calls.sum(), times.forward.sum(), times.backward.sum())));
        return entries;
    }

    /** Sets the next operation of this thread, in the current layer. */
    public static void enter(String operation) {
        if (on) {
            Place place = PLACE.get();
            place.now = new Key(operation, place.now.layer);
        }
    }

    /** Sets the next operation and layer of this thread. */
    public static void enter(int layer, Supplier<String> operation) {
        if (on) {
            PLACE.get().now = new Key(operation.get(), layer);
        }
    }

    /** Runs work as an operation of its own, in no layer. */
    public static <T> T time(String operation, Supplier<T> work) {
        enter(-1, () -> operation);
        Mark mark = mark(place(), false);
        try {
            return work.get();
        } finally {
            if (mark != null) {
                mark.end();
            }
        }
    }

    /** Returns this thread's current operation and layer for {@link #mark}; null while measuring is off. */
    public static @Nullable Object place() {
        return on ? PLACE.get().now : null;
    }

    /** Starts to measure a call; null while measuring is off. */
    public static @Nullable Mark mark(@Nullable Object place, boolean backward) {
        if (!on || !(place instanceof Key key)) {
            return null;
        }
        Times times = TIMES.computeIfAbsent(key, any -> new Times());
        return new Mark(times, backward || PLACE.get().again);
    }

    /** Sets whether this thread's work counts as backward time, as in the recomputation of gradient checkpointing. */
    public static void recomputing(boolean again) {
        if (on) {
            PLACE.get().again = again;
        }
    }
}
