package dev.graft.cli.bench;

import java.util.List;
import java.util.Locale;

/** The median of some measurements, with the smallest and the largest of them. */
record Spread(double median, double least, double most) {

    static Spread of(List<Double> values) {
        double[] sorted =
                values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        int middle = sorted.length / 2;
        double median = sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        return new Spread(median, sorted[0], sorted[sorted.length - 1]);
    }

    /** {@code 2.31 (2.25 to 2.40)}, or the number alone where all are alike. */
    String shown(int digits) {
        String number = "%." + digits + "f";
        String low = String.format(Locale.ROOT, number, least);
        String high = String.format(Locale.ROOT, number, most);
        String middle = String.format(Locale.ROOT, number, median);
        return low.equals(high) ? middle : middle + " (" + low + " to " + high + ")";
    }
}
