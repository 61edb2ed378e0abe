package dev.graft.run.bench;

import java.util.List;
import java.util.Locale;

/** The median of some measurements, with their minimum and maximum. */
public record Spread(double median, double min, double max) {

    public static Spread of(List<Double> values) {
        double[] sorted =
                values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        int middle = sorted.length / 2;
        double median = sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        return new Spread(median, sorted[0], sorted[sorted.length - 1]);
    }

    /** Returns {@code 2.31 (2.25 to 2.40)}, or the number alone if all are equal. */
    public String format(int digits) {
        String number = "%." + digits + "f";
        String low = String.format(Locale.ROOT, number, min);
        String high = String.format(Locale.ROOT, number, max);
        String middle = String.format(Locale.ROOT, number, median);
        return low.equals(high) ? middle : middle + " (" + low + " to " + high + ")";
    }
}
