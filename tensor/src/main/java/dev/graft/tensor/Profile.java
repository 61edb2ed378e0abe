package dev.graft.tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Where training time goes: by operation and layer, forward and backward. While it is off an operation costs one look at a flag.
 *
 * <pre>{@code
 * Profile.start();
 * ...
 * Profile.stop().forEach(entry -> System.out.println(entry.operation() + ": " + entry.forwardNanos() / 1e6 + " ms"));
 * }</pre>
 */
public final class Profile {
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
     * @param layer -1 for none
     * @param backwardNanos with what gradient checkpointing runs again
     */
    public record Entry(String operation, int layer, long calls, long forwardNanos, long backwardNanos) {}

    /** The time of one call, to be ended. */
    static final class Mark {
        private final Times times;
        private final boolean backward;
        private final long start = System.nanoTime();

        private Mark(Times times, boolean backward) {
            this.times = times;
            this.backward = backward;
        }

        void end() {
            long took = System.nanoTime() - start;
            (backward ? times.backward : times.forward).add(took);
            if (!backward) {
                times.calls.increment();
            }
        }
    }

    private Profile() {}

    /** Forgets what was measured and measures from now on, on all threads. */
    public static void start() {
        TIMES.clear();
        on = true;
    }

    /** Measures no more. */
    public static List<Entry> stop() {
        on = false;
        List<Entry> entries = new ArrayList<>();
        TIMES.forEach((key, times) -> entries.add(
                new Entry(key.operation, key.layer, times.calls.sum(), times.forward.sum(), times.backward.sum())));
        return entries;
    }

    /** Says what this thread does next, in the same layer as before. */
    public static void at(String operation) {
        if (on) {
            Place place = PLACE.get();
            place.now = new Key(operation, place.now.layer);
        }
    }

    /** Says what this thread does next. */
    public static void at(int layer, Supplier<String> operation) {
        if (on) {
            PLACE.get().now = new Key(operation.get(), layer);
        }
    }

    /** Runs work that is an operation of its own, in no layer. */
    public static <T> T time(String operation, Supplier<T> work) {
        at(-1, () -> operation);
        Mark mark = mark(place(), false);
        try {
            return work.get();
        } finally {
            if (mark != null) {
                mark.end();
            }
        }
    }

    /** Where this thread is, for {@link #mark}; null while it is off. */
    static @Nullable Object place() {
        return on ? PLACE.get().now : null;
    }

    /** Starts the time of a call; null while it is off. */
    static @Nullable Mark mark(@Nullable Object place, boolean backward) {
        if (!on || !(place instanceof Key key)) {
            return null;
        }
        Times times = TIMES.computeIfAbsent(key, any -> new Times());
        return new Mark(times, backward || PLACE.get().again);
    }

    /** Whether what this thread runs is part of the backward pass, however it looks. */
    static void again(boolean again) {
        if (on) {
            PLACE.get().again = again;
        }
    }
}
