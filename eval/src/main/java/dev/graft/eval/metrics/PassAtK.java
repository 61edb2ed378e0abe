package dev.graft.eval.metrics;

/**
 * pass@k of generated programs (Chen et al. 2021): the mean over problems of the unbiased chance 1 - C(n-c, k)/C(n, k) that
 * at least one of {@code k} samples, drawn from {@code n} of which {@code c} pass, passes.
 */
public final class PassAtK implements Metric<PassAtK.Row> {

    /** A problem: the number of programs sampled and the number that pass its tests. */
    public record Row(int samples, int passing) {
        public Row {
            if (passing < 0 || passing > samples) {
                throw new IllegalArgumentException(passing + " of " + samples + " samples can't pass");
            }
        }
    }

    private final int k;
    private double sum;
    private long problems;

    public PassAtK(int k) {
        if (k < 1) {
            throw new IllegalArgumentException("k is " + k + ", expected at least 1");
        }
        this.k = k;
    }

    @Override
    public String name() {
        return "pass@" + k;
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    /** @throws IllegalArgumentException if fewer than k programs were sampled */
    @Override
    public void update(Row row) {
        if (row.samples < k) {
            throw new IllegalArgumentException(
                    "a problem has " + row.samples + " samples, " + name() + " needs at least " + k);
        }
        double none = 1;
        for (int i = row.samples - row.passing + 1; i <= row.samples; i++) {
            none *= 1 - (double) k / i;
        }
        sum += row.samples - row.passing < k ? 1 : 1 - none;
        problems++;
    }

    @Override
    public double value() {
        if (problems == 0) {
            throw new NoRowsException(name());
        }
        return sum / problems;
    }
}
