package dev.graft.eval.report;

import java.util.ArrayList;
import java.util.List;

/**
 * A scale from values to positions with ticks at round values (Heckbert 1990, "Nice Numbers for Graph Labels").
 *
 * @param low the value at {@code from}
 * @param high the value at {@code to}
 */
record Axis(double low, double high, boolean log, double from, double to, List<Tick> ticks) {

    record Tick(double value, String label) {}

    /** An axis from the tick below the smallest to the tick above the largest value, with about {@code count} ticks. */
    static Axis linear(double min, double max, double from, double to, int count) {
        double size = Math.max(Math.abs(min), Math.abs(max));
        if (max / 2 - min / 2 <= Math.max(1e-10 * size, 1e-290)) {
            // no step between the two would be exact: as for a constant
            double half = size <= 1e-290 ? 1 : size / 2;
            return linear(min - half, max + half, from, to, count);
        }
        // halves, so that the span of the largest doubles does not overflow
        double step = nice((max / 2 - min / 2) / count * 2);
        double low = Math.floor(min / step + 1e-9) * step;
        double high = Math.ceil(max / step - 1e-9) * step;
        List<Tick> ticks = new ArrayList<>();
        long steps = Math.round(high / step - low / step);
        for (long i = 0; i <= steps; i++) {
            double value = low + i * step;
            ticks.add(new Tick(value, Numbers.tick(Math.abs(value) < step / 2 ? 0 : value, step)));
        }
        return new Axis(low, high, false, from, to, ticks);
    }

    /** Returns an axis as {@link #linear} does, but cut at the smallest and the largest value: for steps of a run. */
    static Axis tight(double min, double max, double from, double to, int count) {
        if (min == max) {
            return linear(min, max, from, to, count);
        }
        Axis nice = linear(min, max, from, to, count);
        List<Tick> inside = nice.ticks.stream()
                .filter(tick -> tick.value >= min && tick.value <= max)
                .toList();
        return new Axis(min, max, false, from, to, inside);
    }

    /** Positive values only. Ticks at 1, 2, 5 of each decade while there are few decades, then at decades. */
    static Axis log(double min, double max, double from, double to) {
        double decades = Math.log10(max) - Math.log10(min);
        int[] digits = decades < 2 ? new int[] {1, 2, 5} : new int[] {1};
        int every = decades < 2 ? 1 : (int) Math.ceil(decades / 8);
        List<Tick> ticks = new ArrayList<>();
        int first = (int) Math.floor(Math.log10(min) + 1e-9);
        int last = (int) Math.ceil(Math.log10(max) - 1e-9);
        for (int decade = first; decade <= last; decade++) {
            if (Math.floorMod(decade - first, every) != 0) {
                continue;
            }
            for (int digit : digits) {
                double value = Double.parseDouble(digit + "e" + decade);
                ticks.add(new Tick(value, Numbers.text(value)));
            }
        }
        int start = 0;
        while (start + 1 < ticks.size() && ticks.get(start + 1).value <= min) {
            start++;
        }
        int end = ticks.size();
        while (end - 2 > start && ticks.get(end - 2).value >= max) {
            end--;
        }
        List<Tick> used = List.copyOf(ticks.subList(start, end));
        double low = Math.min(min, used.get(0).value);
        double high = Math.max(max, used.get(used.size() - 1).value);
        return new Axis(low, low == high ? 10 * low : high, true, from, to, used);
    }

    double position(double value) {
        double share = log
                ? (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low))
                : (value / 2 - low / 2) / (high / 2 - low / 2);
        return from + share * (to - from);
    }

    private static double nice(double step) {
        double power = Math.pow(10, Math.floor(Math.log10(step)));
        double digit = step / power;
        return (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10) * power;
    }
}
