package dev.graft.eval.metrics;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The agreement of probabilities with the frequency of right answers. The value is the expected calibration error of Guo et al. (2017):
 * over bins of equal width (lo, hi] of the highest probability, the mean distance of accuracy from confidence, weighted by rows.
 * {@link #values} also has log loss and the Brier score (summed over classes; of class 1 alone for two classes, as in scikit-learn).
 */
public final class Calibration implements Metric<ProbabilityPrediction> {

    private static final double LEAST = Math.ulp(1.0);

    private final long[] rows;
    private final long[] right;
    private final double[] confidence;
    private long total;
    private double logLoss;
    private double brier;

    /** @param bins the number of bins; papers use 15 */
    public Calibration(int bins) {
        if (bins < 1) {
            throw new IllegalArgumentException("calibration needs at least 1 bin, got " + bins);
        }
        rows = new long[bins];
        right = new long[bins];
        confidence = new double[bins];
    }

    @Override
    public String name() {
        return "ece";
    }

    @Override
    public boolean higherIsBetter() {
        return false;
    }

    @Override
    public void update(ProbabilityPrediction row) {
        double[] probabilities = row.probabilities();
        int best = row.best();
        int bin = bin(probabilities[best]);
        rows[bin]++;
        right[bin] += best == row.label() ? 1 : 0;
        confidence[bin] += probabilities[best];
        logLoss -= Math.log(Math.min(1 - LEAST, Math.max(LEAST, probabilities[row.label()])));
        for (int i = 0; i < probabilities.length; i++) {
            double distance = probabilities[i] - (i == row.label() ? 1 : 0);
            brier += probabilities.length == 2 ? distance * distance / 2 : distance * distance;
        }
        total++;
    }

    /** The bin (lo, hi] of a confidence, its bounds being those of numpy's {@code linspace(0, 1, bins + 1)}. */
    private int bin(double confidence) {
        int bin = Math.min(rows.length - 1, Math.max(0, (int) Math.ceil(confidence * rows.length) - 1));
        while (bin > 0 && confidence <= bin * (1.0 / rows.length)) {
            bin--;
        }
        while (bin < rows.length - 1 && confidence > (bin + 1) * (1.0 / rows.length)) {
            bin++;
        }
        return bin;
    }

    @Override
    public double value() {
        requireRows();
        double error = 0;
        for (int i = 0; i < rows.length; i++) {
            error += Math.abs(right[i] - confidence[i]);
        }
        return error / total;
    }

    public double logLoss() {
        requireRows();
        return logLoss / total;
    }

    public double brier() {
        requireRows();
        return brier / total;
    }

    @Override
    public Map<String, Double> values() {
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("ece", value());
        values.put("log_loss", logLoss());
        values.put("brier", brier());
        return values;
    }

    private void requireRows() {
        if (total == 0) {
            throw new NoRowsException(name());
        }
    }
}
