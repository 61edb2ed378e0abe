package dev.graft.eval.metrics;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The metrics of one evaluation, updated together.
 *
 * <pre>{@code
 * var metrics = MetricSet.classification(25);
 * for (var row : rows) metrics.update(new ClassPrediction(row.label(), row.predicted()));
 * metrics.values().get("macro_f1");
 * }</pre>
 */
public final class MetricSet<O> {

    private final Map<String, Metric<O>> metrics = new LinkedHashMap<>();

    /** @throws IllegalArgumentException if two metrics have the same name */
    public MetricSet(List<? extends Metric<O>> metrics) {
        for (Metric<O> metric : metrics) {
            if (this.metrics.put(metric.name(), metric) != null) {
                throw new IllegalArgumentException("two metrics have the name " + metric.name());
            }
        }
    }

    /** Creates accuracy, macro and weighted scores, Matthews, and the scores of class 1 if there are two classes. */
    public static MetricSet<ClassPrediction> classification(int classes) {
        var macro = new PrecisionRecallF1(classes, Average.MACRO);
        var weighted = new PrecisionRecallF1(classes, Average.WEIGHTED);
        var matthews = new Matthews(classes);
        return classes == 2
                ? new MetricSet<>(List.of(
                        new Accuracy(), new PrecisionRecallF1(classes, Average.BINARY), macro, weighted, matthews))
                : new MetricSet<>(List.of(new Accuracy(), macro, weighted, matthews));
    }

    /** Creates accuracy alone, for choices whose classes differ in every batch. */
    public static MetricSet<ClassPrediction> choice() {
        return new MetricSet<>(List.of(new Accuracy()));
    }

    /** Creates the scores of semantic segmentation, a class for each pixel. */
    public static MetricSet<Segmentation.Row> segmentation(int classes) {
        return new MetricSet<>(List.of(new Segmentation(classes)));
    }

    /** Micro and macro scores, exact match, Hamming loss. */
    public static MetricSet<LabelSetPrediction> multiLabel(int labels) {
        return new MetricSet<>(List.of(
                new MultiLabelF1(labels, Average.MICRO),
                new MultiLabelF1(labels, Average.MACRO),
                new ExactMatch(),
                new HammingLoss(labels)));
    }

    /** MSE, MAE, RMSE, R², Pearson, Spearman. */
    public static MetricSet<ValuePrediction> regression() {
        return new MetricSet<>(List.of(
                MeanError.squared(),
                MeanError.absolute(),
                MeanError.rootSquared(),
                new RSquared(),
                new Pearson(),
                new Spearman()));
    }

    /** Spearman and Pearson. */
    public static MetricSet<ValuePrediction> similarity() {
        return new MetricSet<>(List.of(new Spearman(), new Pearson()));
    }

    /** NDCG, reciprocal rank, hit rate and recall at rank 10. */
    public static MetricSet<Ranking.Row> retrieval() {
        return new MetricSet<>(List.of(new Ranking(List.of(10))));
    }

    /** Perplexity and token accuracy. */
    public static MetricSet<TokenScores> languageModel() {
        return new MetricSet<>(List.of(new Perplexity(), new TokenAccuracy()));
    }

    /** Perplexity, token accuracy and exact match, for answers of which every token has a label. */
    public static MetricSet<TokenScores> answers() {
        return new MetricSet<>(List.of(new Perplexity(), new TokenAccuracy(), new AnswerMatch()));
    }

    /** Returns the accuracy and the margin of the rewards of chosen and rejected answers, and the rewards. */
    public static MetricSet<RewardPair> preferences() {
        return new MetricSet<>(
                List.of(MeanReward.accuracy(), MeanReward.margin(), MeanReward.chosen(), MeanReward.rejected()));
    }

    /** The rewards of good and of bad answers. */
    public static MetricSet<RewardPair> judgements() {
        return new MetricSet<>(List.of(MeanReward.chosen(), MeanReward.rejected()));
    }

    public void update(O row) {
        metrics.values().forEach(metric -> metric.update(row));
    }

    /**
     * Returns the metric of this name.
     *
     * @throws IllegalArgumentException if there is none; the message lists the names
     */
    public Metric<O> metric(String name) {
        Metric<O> metric = metrics.get(name);
        if (metric == null) {
            throw new IllegalArgumentException(
                    "no metric \"" + name + "\" here, expected one of " + String.join(", ", metrics.keySet()));
        }
        return metric;
    }

    /** Returns the values of all metrics, in the order in which they were given. */
    public Map<String, Double> values() {
        return metrics.values().stream()
                .flatMap(metric -> metric.values().entrySet().stream())
                .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue, (a, b) -> a, LinkedHashMap::new));
    }
}
