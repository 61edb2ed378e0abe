package dev.graft.cli.bench;

import dev.graft.cli.terminal.Table;
import dev.graft.tensor.Profiler;
import dev.graft.tensor.Profiler.Timing;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.TrainingListener;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Profiles some steps after the first, a warm-up, and prints the time of each operation. */
public final class ProfileReport implements TrainingListener {
    private final int steps;
    private final Consumer<String> out;
    private long first = -1;
    private long start;

    public ProfileReport(int steps, Consumer<String> out) {
        this.steps = steps;
        this.out = out;
    }

    @Override
    public void onStep(Stepped stepped) {
        if (first < 0) {
            first = stepped.step();
            Profiler.start();
            start = System.nanoTime();
        } else if (stepped.step() == first + steps) {
            long wall = System.nanoTime() - start;
            out.accept(text(Profiler.stop(), wall, steps));
        }
    }

    /**
     * Returns a table of the time of some steps by operation.
     *
     * @param entries the timings of the operations
     * @param wall the nanoseconds of all steps
     * @param steps the number of steps
     */
    public static String text(List<Timing> entries, long wall, int steps) {
        double perStep = 1e6 * steps;
        long busy = entries.stream().mapToLong(ProfileReport::total).sum();
        Table operations = table("operation");
        grouped(entries, Timing::operation).forEach((operation, of) -> row(operations, operation, of, steps, busy));
        Table layers = table("layer");
        Map<Integer, List<Timing>> byLayer =
                new TreeMap<>(entries.stream().collect(Collectors.groupingBy(Timing::layer)));
        byLayer.forEach((layer, of) -> row(layers, layer < 0 ? "none" : layer.toString(), of, steps, busy));
        return String.format(
                Locale.ROOT,
                "Profile of %d steps, %.1f ms each; milliseconds a step, summed over threads, %.1f in all%n%n%s%n%s",
                steps,
                wall / perStep,
                busy / perStep,
                operations,
                layers);
    }

    private static Table table(String what) {
        return new Table(what, "calls", "forward", "backward", "share");
    }

    /** The costliest first. */
    private static Map<String, List<Timing>> grouped(List<Timing> entries, Function<Timing, String> by) {
        Map<String, List<Timing>> groups = entries.stream().collect(Collectors.groupingBy(by));
        return groups.entrySet().stream()
                .sorted(Comparator.comparingLong(group -> -total(group.getValue())))
                .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue, (a, b) -> a, LinkedHashMap::new));
    }

    private static long total(Timing entry) {
        return entry.forwardNanos() + entry.backwardNanos();
    }

    private static long total(List<Timing> entries) {
        return entries.stream().mapToLong(ProfileReport::total).sum();
    }

    private static void row(Table table, String name, List<Timing> entries, int steps, long busy) {
        double perStep = 1e6 * steps;
        long calls = entries.stream().mapToLong(Timing::calls).sum();
        long forward = entries.stream().mapToLong(Timing::forwardNanos).sum();
        long backward = entries.stream().mapToLong(Timing::backwardNanos).sum();
        table.row(
                name,
                calls / steps,
                String.format(Locale.ROOT, "%.2f", forward / perStep),
                String.format(Locale.ROOT, "%.2f", backward / perStep),
                String.format(Locale.ROOT, "%.1f%%", 100.0 * (forward + backward) / Math.max(1, busy)));
    }
}
