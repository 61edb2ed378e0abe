package dev.graft.eval.metrics;

import dev.graft.eval.metrics.spans.SpanF1;
import dev.graft.eval.metrics.spans.TagAccuracy;
import dev.graft.eval.metrics.spans.TagPrediction;
import dev.graft.eval.metrics.spans.TagScheme;
import dev.graft.eval.metrics.text.SquadScore;
import dev.graft.eval.metrics.text.TextPrediction;
import java.util.Collection;
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

    /** Accuracy, macro and weighted scores, Matthews, and the scores of class 1 where there are two classes. */
    public static MetricSet<ClassPrediction> classification(int classes) {
        var macro = new PrecisionRecallF1(classes, Average.MACRO);
        var weighted = new PrecisionRecallF1(classes, Average.WEIGHTED);
        var matthews = new Matthews(classes);
        return classes == 2
                ? new MetricSet<>(List.of(
                        new Accuracy(), new PrecisionRecallF1(classes, Average.BINARY), macro, weighted, matthews))
                : new MetricSet<>(List.of(new Accuracy(), macro, weighted, matthews));
    }

    /** Accuracy alone, for choices among other classes in every batch. */
    public static MetricSet<ClassPrediction> choice() {
        return new MetricSet<>(List.of(new Accuracy()));
    }

    /** How well the classes of points are found. */
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

    /** Perplexity and token accuracy. */
    public static MetricSet<TokenScores> languageModel() {
        return new MetricSet<>(List.of(new Perplexity(), new TokenAccuracy()));
    }

    /** Those of a language model and exact match, for answers of which every token has a label. */
    public static MetricSet<TokenScores> answers() {
        return new MetricSet<>(List.of(new Perplexity(), new TokenAccuracy(), new AnswerMatch()));
    }

    /** How often and by how much chosen answers have the larger reward, and the rewards. */
    public static MetricSet<RewardPair> preferences() {
        return new MetricSet<>(
                List.of(MeanReward.accuracy(), MeanReward.margin(), MeanReward.chosen(), MeanReward.rejected()));
    }

    /** The rewards of good and of bad answers. */
    public static MetricSet<RewardPair> judgements() {
        return new MetricSet<>(List.of(MeanReward.chosen(), MeanReward.rejected()));
    }

    /** Precision, recall and F1 of the spans that tags mark, where they mark some, and the share of right tags. */
    public static MetricSet<TagPrediction> tags(Collection<String> names) {
        TagScheme scheme = TagScheme.of(names);
        return new MetricSet<>(
                scheme == null ? List.of(new TagAccuracy()) : List.of(new SpanF1(scheme), new TagAccuracy()));
    }

    /** How often the right one of several texts is chosen. */
    public static MetricSet<ClassPrediction> choices() {
        return new MetricSet<>(List.of(new Accuracy()));
    }

    /** F1 and exact match of answers that were found in texts. */
    public static MetricSet<TextPrediction> foundAnswers() {
        return new MetricSet<>(List.of(new SquadScore()));
    }

    public void update(O row) {
        metrics.values().forEach(metric -> metric.update(row));
    }

    /**
     * The metric of this name, to ask for its direction.
     *
     * @throws IllegalArgumentException if there is none; the message lists those there are
     */
    public Metric<O> metric(String name) {
        Metric<O> metric = metrics.get(name);
        if (metric == null) {
            throw new IllegalArgumentException(
                    "no metric \"" + name + "\" here, expected one of " + String.join(", ", metrics.keySet()));
        }
        return metric;
    }

    /** The values of all metrics, in the order in which they were given. */
    public Map<String, Double> values() {
        return metrics.values().stream()
                .flatMap(metric -> metric.values().entrySet().stream())
                .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue, (a, b) -> a, LinkedHashMap::new));
    }
}
