package dev.graft.eval.metrics;

import java.util.List;

/**
 * Kendall's rank correlation of targets and predictions with ties (τ-b), in [-1, 1]; NaN if either is constant. It compares
 * every pair of rows.
 */
public final class KendallTau extends RankCorrelation {

    @Override
    public String name() {
        return "kendall_tau";
    }

    @Override
    double correlation(List<ValuePrediction> rows) {
        long agreement = 0;
        long targets = 0;
        long predictions = 0;
        for (int i = 0; i < rows.size(); i++) {
            ValuePrediction row = rows.get(i);
            for (ValuePrediction other : rows.subList(0, i)) {
                int target = Double.compare(row.target() + 0.0, other.target() + 0.0);
                int prediction = Double.compare(row.prediction() + 0.0, other.prediction() + 0.0);
                agreement += target * prediction;
                targets += target * target;
                predictions += prediction * prediction;
            }
        }
        return targets == 0 || predictions == 0
                ? Double.NaN
                : agreement / (Math.sqrt(targets) * Math.sqrt(predictions));
    }
}
