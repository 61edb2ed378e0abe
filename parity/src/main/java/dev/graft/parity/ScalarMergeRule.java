package dev.graft.parity;

import dev.graft.peft.composition.CombinationSettings;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The rules of TIES, DARE and magnitude pruning on plain numbers: slow, and independent of the tensor code that it checks.
 *
 * @param updates one for each adapter, of equal length
 */
record ScalarMergeRule(
        List<double[]> updates, List<Double> weights, double density, CombinationSettings.Election election) {
    /** The largest entries of each update, combined. */
    double[] pruned(boolean elects) {
        List<double[]> kept = new ArrayList<>();
        for (double[] update : updates) {
            double[] sizes = Arrays.stream(update).map(Math::abs).sorted().toArray();
            int count = Math.max(1, (int) (density * update.length));
            double least = sizes[sizes.length - count];
            kept.add(Arrays.stream(update)
                    .map(value -> Math.abs(value) >= least ? value : 0)
                    .toArray());
        }
        double[] combined = new double[updates.get(0).length];
        for (int i = 0; i < combined.length; i++) {
            int at = i;
            combined[i] = combine(kept.stream().map(values -> values[at]).toList(), elects);
        }
        return combined;
    }

    private double combine(List<Double> values, boolean elects) {
        double total = 0;
        double votes = 0;
        double sum = 0;
        for (int a = 0; a < values.size(); a++) {
            double side = Math.signum(weights.get(a));
            total += side * values.get(a);
            votes += Math.signum(side * values.get(a));
            sum += weights.get(a) * values.get(a);
        }
        if (!elects) {
            return sum;
        }
        double elected = Math.signum(election == CombinationSettings.Election.FREQUENCY && votes != 0 ? votes : total);
        double agreeing = 0;
        int count = 0;
        for (int a = 0; a < values.size(); a++) {
            if (weights.get(a) * values.get(a) * elected > 0) {
                agreeing += weights.get(a) * values.get(a);
                count++;
            }
        }
        return count == 0 ? 0 : agreeing / count;
    }

    /** Each entry must be what one of the possible draws gives, and about the density of the draws must keep their entry. */
    void checkRandom(CaseCheck check, String module, double[] got, boolean elects, Tolerance tolerance) {
        double scale = Arrays.stream(got).map(Math::abs).max().orElse(0);
        double allowed = tolerance.limit(scale);
        long[] kept = new long[updates.size()];
        for (int i = 0; i < got.length; i++) {
            int best = nearest(got[i], i, elects);
            double gap = Math.abs(got[i] - valueAfterDraw(best, i, elects));
            if (gap > allowed) {
                check.that(false, module + "[" + i + "] is " + got[i] + ", which no draw gives");
                return;
            }
            for (int a = 0; a < kept.length; a++) {
                kept[a] += best >> a & 1;
            }
        }
        if (!elects) {
            for (int a = 0; a < kept.length; a++) {
                double deviation = Math.sqrt(density * (1 - density) * got.length);
                check.that(
                        Math.abs(kept[a] - density * got.length) < 5 * deviation,
                        module + " keeps " + kept[a] + " of " + got.length + " entries of adapter " + a + " at density "
                                + density);
            }
        }
    }

    private int nearest(double value, int at, boolean elects) {
        int best = 0;
        for (int draw = 1; draw < 1 << updates.size(); draw++) {
            if (Math.abs(value - valueAfterDraw(draw, at, elects))
                    < Math.abs(value - valueAfterDraw(best, at, elects))) {
                best = draw;
            }
        }
        return best;
    }

    /** Returns the value for a draw: bit a says whether adapter a keeps its entry. */
    private double valueAfterDraw(int draw, int at, boolean elects) {
        List<Double> values = new ArrayList<>();
        for (int a = 0; a < updates.size(); a++) {
            values.add((draw >> a & 1) == 1 ? updates.get(a)[at] / density : 0);
        }
        return combine(values, elects);
    }
}
