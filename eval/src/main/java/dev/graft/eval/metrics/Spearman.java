package dev.graft.eval.metrics;

import java.util.Comparator;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * Spearman's rank correlation of targets and predictions, in [-1, 1]; equal values share the mean of their ranks. NaN if
 * either is constant.
 */
public final class Spearman extends RankCorrelation {

    @Override
    public String name() {
        return "spearman";
    }

    @Override
    double correlation(List<ValuePrediction> rows) {
        double[] targets = ranks(rows, ValuePrediction::target);
        double[] predictions = ranks(rows, ValuePrediction::prediction);
        Moments moments = new Moments();
        for (int i = 0; i < targets.length; i++) {
            moments.add(targets[i], predictions[i]);
        }
        return moments.correlation();
    }

    private static double[] ranks(List<ValuePrediction> rows, ToDoubleFunction<ValuePrediction> of) {
        // + 0.0 turns -0.0 into 0.0, which compare as equal numbers but not as doubles
        double[] values = rows.stream().mapToDouble(of).map(v -> v + 0.0).toArray();
        int[] order = IntStream.range(0, values.length)
                .boxed()
                .sorted(Comparator.comparingDouble(i -> values[i]))
                .mapToInt(Integer::intValue)
                .toArray();
        double[] ranks = new double[values.length];
        for (int start = 0; start < order.length; ) {
            int end = start + 1;
            while (end < order.length && values[order[end]] == values[order[start]]) {
                end++;
            }
            for (int i = start; i < end; i++) {
                ranks[order[i]] = (start + 1 + end) / 2.0;
            }
            start = end;
        }
        return ranks;
    }
}
