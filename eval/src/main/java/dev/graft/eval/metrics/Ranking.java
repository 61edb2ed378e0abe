package dev.graft.eval.metrics;

import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * The positions of relevant candidates in a ranking, for recommendation and retrieval: the mean over rows of NDCG@k (gain = the
 * grade, discount log2(rank + 1)), of the reciprocal rank of the first relevant candidate within k, of hits (any relevant
 * candidate within k) and of recall (the share of relevant ones within k). Of candidates with equal scores the first counts
 * as higher. Rows without a relevant candidate are refused.
 */
public final class Ranking implements Metric<Ranking.Row> {

    /**
     * A query: for each candidate the model's score and a grade of relevance, 0 for none, both {@code [candidates]}.
     */
    public record Row(double[] scores, double[] relevance) {

        public Row {
            if (scores.length != relevance.length) {
                throw new IllegalArgumentException(
                        "a query has " + scores.length + " scores but " + relevance.length + " grades");
            }
            if (Arrays.stream(relevance).noneMatch(grade -> grade > 0)) {
                throw new IllegalArgumentException("a query has no relevant candidate, so its ranking has no score");
            }
        }
    }

    private final List<Integer> cutoffs;
    private final Map<String, Double> sums = new LinkedHashMap<>();
    private long rows;

    /** @param cutoffs the k to report, the first being that of {@link #value()} */
    public Ranking(List<Integer> cutoffs) {
        if (cutoffs.isEmpty() || cutoffs.stream().anyMatch(k -> k < 1)) {
            throw new IllegalArgumentException("the cutoffs are " + cutoffs + ", expected ranks from 1 on");
        }
        this.cutoffs = List.copyOf(cutoffs);
    }

    @Override
    public String name() {
        return "ndcg@" + cutoffs.get(0);
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(Row row) {
        double[] ranked = IntStream.range(0, row.scores.length)
                .boxed()
                .sorted(Comparator.comparingDouble(i -> -row.scores[i]))
                .mapToDouble(i -> row.relevance[i])
                .toArray();
        double[] ideal = DoubleStream.of(row.relevance)
                .map(grade -> -grade)
                .sorted()
                .map(grade -> -grade)
                .toArray();
        long relevant = Arrays.stream(ranked).filter(grade -> grade > 0).count();
        for (int k : cutoffs) {
            double[] top = Arrays.copyOf(ranked, Math.min(k, ranked.length));
            long found = Arrays.stream(top).filter(grade -> grade > 0).count();
            add("ndcg@" + k, gain(top) / gain(Arrays.copyOf(ideal, top.length)));
            add("mrr@" + k, reciprocalRank(top));
            add("hit_rate@" + k, found > 0 ? 1 : 0);
            add("recall@" + k, (double) found / relevant);
        }
        rows++;
    }

    private void add(String name, double value) {
        sums.merge(name, value, Double::sum);
    }

    private static double gain(double[] grades) {
        double gain = 0;
        for (int i = 0; i < grades.length; i++) {
            gain += grades[i] * Math.log(2) / Math.log(i + 2);
        }
        return gain;
    }

    private static double reciprocalRank(double[] grades) {
        for (int i = 0; i < grades.length; i++) {
            if (grades[i] > 0) {
                return 1.0 / (i + 1);
            }
        }
        return 0;
    }

    @Override
    public double value() {
        return Objects.requireNonNull(values().get(name()));
    }

    @Override
    public Map<String, Double> values() {
        if (rows == 0) {
            throw new NoRowsException(name());
        }
        Map<String, Double> values = new LinkedHashMap<>();
        sums.forEach((name, sum) -> values.put(name, sum / rows));
        return values;
    }
}
