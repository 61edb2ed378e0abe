package dev.graft.eval.tasks;

import dev.graft.eval.metrics.Bootstrap;
import dev.graft.eval.metrics.ClassPrediction;
import dev.graft.eval.metrics.ConfusionMatrix;
import dev.graft.eval.metrics.LabelSetPrediction;
import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.MetricSet;
import dev.graft.eval.metrics.Ranking;
import dev.graft.eval.metrics.RewardPair;
import dev.graft.eval.metrics.Segmentation;
import dev.graft.eval.metrics.TokenScores;
import dev.graft.eval.metrics.ValuePrediction;
import dev.graft.eval.metrics.spans.TagMetrics;
import dev.graft.eval.metrics.spans.TagPrediction;
import dev.graft.eval.metrics.spans.TagScheme;
import dev.graft.eval.metrics.text.SquadScore;
import dev.graft.eval.metrics.text.TextPrediction;
import dev.graft.formats.InputException;
import dev.graft.models.sites.Hooks;
import dev.graft.train.Evaluation;
import dev.graft.train.Predictor;
import dev.graft.train.TrainingException;
import dev.graft.train.loss.Loss;
import dev.graft.train.loss.Prediction;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Scores a model by the metrics of a task.
 *
 * <pre>{@code
 * Scorer<?> scorer = taskSpec.scorer();
 * Scores scores = scorer.score(new Predictor(base, examples, 32), Selection.of(adapter).hooks(), true);
 * scores.metrics().get("macro_f1");
 * }</pre>
 *
 * @param <O> the type of row that the metrics accept
 */
public final class Scorer<O> {
    private static final Bootstrap BOOTSTRAP = new Bootstrap(500, 0.95, 42);

    /** A reading of predictions as rows of a metric. */
    private interface Reading<O> {
        void accept(Prediction prediction, Consumer<O> rows);

        /** Called after the last prediction. */
        default void end(Consumer<O> rows) {}
    }

    /** A ranking needs all texts before it can rank any. */
    private static final class AllTogether implements Reading<Ranking.Row> {
        private final List<Prediction> predictions = new ArrayList<>();

        @Override
        public void accept(Prediction prediction, Consumer<Ranking.Row> rows) {
            predictions.add(prediction);
        }

        @Override
        public void end(Consumer<Ranking.Row> rows) {
            Retrieval.queries(predictions).forEach(rows);
        }
    }

    private final Supplier<MetricSet<O>> metrics;
    private final Supplier<Reading<O>> readings;
    private final List<String> bootstrapped;
    private final int classes;

    private Scorer(
            Supplier<MetricSet<O>> metrics, Supplier<Reading<O>> readings, List<String> bootstrapped, int classes) {
        this.metrics = metrics;
        this.readings = readings;
        this.bootstrapped = bootstrapped;
        this.classes = classes;
    }

    private static <O> Scorer<O> byRow(
            Supplier<MetricSet<O>> metrics, Function<Prediction, O> row, String... bootstrapped) {
        return new Scorer<>(metrics, eachAlone(row), List.of(bootstrapped), 0);
    }

    private static <O> Supplier<Reading<O>> eachAlone(Function<Prediction, O> row) {
        return () -> (prediction, rows) -> rows.accept(scored(prediction, row));
    }

    /** Perplexity of texts. */
    static Scorer<?> texts() {
        return byRow(MetricSet::languageModel, Scorer::tokens, "perplexity", "token_accuracy");
    }

    /** Perplexity and exact match of answers. */
    static Scorer<?> answers() {
        return byRow(MetricSet::answers, Scorer::tokens, "perplexity", "exact_match");
    }

    /**
     * SQuAD's scores of answers in texts.
     *
     * @param mayBeNone whether a text may leave a question open
     */
    static Scorer<?> spans(boolean mayBeNone) {
        return byRow(
                () -> new MetricSet<>(List.of(new SquadScore())), prediction -> found(prediction, mayBeNone), "f1");
    }

    /** Accuracy of a choice; for images with texts, how often an image's own text fits it best of its batch. */
    static Scorer<?> choices() {
        return byRow(MetricSet::choice, Scorer::oneClass, "accuracy");
    }

    /** Rewards of chosen and rejected answers. */
    static Scorer<?> preferences() {
        return byRow(MetricSet::preferences, Scorer::pair, "reward_accuracy", "reward_margin");
    }

    /** Rewards of good and bad answers. */
    static Scorer<?> judgements() {
        return byRow(MetricSet::judgements, Scorer::judged, "reward_chosen", "reward_rejected");
    }

    /** Intersection over union of masks. */
    static Scorer<?> points(int classes) {
        return byRow(() -> MetricSet.segmentation(classes), Scorer::points);
    }

    /** Accuracy and F1 of one class a row. */
    static Scorer<?> classes(int classes) {
        return new Scorer<>(
                () -> MetricSet.classification(classes),
                eachAlone(Scorer::oneClass),
                List.of("accuracy", "macro_f1"),
                classes);
    }

    /** F1 over sets of labels. */
    static Scorer<?> labelSets(int labels) {
        return byRow(() -> MetricSet.multiLabel(labels), Scorer::manyClasses, "micro_f1", "macro_f1", "exact_match");
    }

    /** Errors and correlations of numbers. */
    static Scorer<?> numbers() {
        return byRow(MetricSet::regression, Scorer::value, "mae", "rmse");
    }

    /** Rank correlation of cosines with the similarities that rows say. */
    static Scorer<?> similarities() {
        return byRow(MetricSet::similarity, Retrieval::similarity, "spearman");
    }

    /** The place of the texts that belong to an anchor among all texts of the rows, ordered by cosine. */
    static Scorer<?> retrieval() {
        return new Scorer<>(MetricSet::retrieval, AllTogether::new, List.of("ndcg@10"), 0);
    }

    /** F1 of spans where tags have a scheme, else accuracy. */
    static Scorer<?> tags(List<String> names) {
        return byRow(
                () -> TagMetrics.of(names),
                prediction -> {
                    List<Prediction.SingleLabel> tokens = ((Prediction.Tags) prediction).tokens();
                    return new TagPrediction(
                            tokens.stream()
                                    .map(token -> names.get(token.target()))
                                    .toList(),
                            tokens.stream()
                                    .map(token -> names.get(token.predicted()))
                                    .toList());
                },
                TagScheme.of(names) == null ? "tag_accuracy" : "f1");
    }

    private static TextPrediction found(Prediction prediction, boolean mayBeNone) {
        Prediction.AnswerSpan span = (Prediction.AnswerSpan) prediction;
        return new TextPrediction(span.text(mayBeNone), span.passage().references());
    }

    private static Segmentation.Row points(Prediction prediction) {
        Prediction.Pixels points = (Prediction.Pixels) prediction;
        return new Segmentation.Row(points.target(), points.predicted());
    }

    private static ClassPrediction oneClass(Prediction prediction) {
        Prediction.SingleLabel one = (Prediction.SingleLabel) prediction;
        return new ClassPrediction(one.target(), one.predicted());
    }

    private static LabelSetPrediction manyClasses(Prediction prediction) {
        Prediction.MultiLabel many = (Prediction.MultiLabel) prediction;
        return LabelSetPrediction.of(many.target(), many.predicted());
    }

    private static ValuePrediction value(Prediction prediction) {
        Prediction.Value value = (Prediction.Value) prediction;
        return new ValuePrediction(value.target(), value.predicted());
    }

    private static RewardPair pair(Prediction prediction) {
        Prediction.PreferencePair pair = (Prediction.PreferencePair) prediction;
        return new RewardPair(pair.chosen(), pair.rejected());
    }

    private static RewardPair judged(Prediction prediction) {
        Prediction.Judged judged = (Prediction.Judged) prediction;
        return judged.isGood()
                ? new RewardPair(judged.reward(), Double.NaN)
                : new RewardPair(Double.NaN, judged.reward());
    }

    private static TokenScores tokens(Prediction prediction) {
        Prediction.Tokens tokens = (Prediction.Tokens) prediction;
        return new TokenScores(tokens.negativeLogLikelihood(), tokens.tokens(), tokens.correct());
    }

    /**
     * Returns whether a larger value of a metric is better.
     *
     * @throws InputException if this task has no such metric
     */
    public boolean greaterIsBetter(String metric) {
        if (metric.equals("loss")) {
            return false;
        }
        try {
            return metrics.get().metric(metric).higherIsBetter();
        } catch (IllegalArgumentException unknown) {
            throw new InputException("metric is " + metric + ": " + unknown.getMessage() + ", loss", unknown);
        }
    }

    /** Returns the evaluation to run during training, without intervals. */
    public Evaluation evaluation(Predictor predictor) {
        return Evaluation.of(predictor, hooks -> score(predictor, hooks, false).metrics());
    }

    /**
     * Scores a model.
     *
     * @param intervals true to compute bootstrap confidence intervals
     * @throws TrainingException if an output of the model is NaN
     */
    public Scores score(Predictor predictor, Hooks hooks, boolean intervals) {
        return score(predictor, hooks, intervals, prediction -> {});
    }

    /**
     * Scores a model.
     *
     * @param intervals true to compute bootstrap confidence intervals
     * @param each called with the prediction for each row
     * @throws TrainingException if an output of the model is NaN
     */
    public Scores score(Predictor predictor, Hooks hooks, boolean intervals, Consumer<Prediction> each) {
        MetricSet<O> set = metrics.get();
        ConfusionMatrix confusion = classes > 0 ? new ConfusionMatrix(classes) : null;
        boolean kept = intervals && !bootstrapped.isEmpty();
        List<O> rows = new ArrayList<>();
        Reading<O> reading = readings.get();
        AtomicInteger count = new AtomicInteger();
        Consumer<O> scoring = scored -> {
            if (kept) {
                rows.add(scored);
            }
            set.update(scored);
            if (confusion != null && scored instanceof ClassPrediction one) {
                confusion.add(one);
            }
        };
        Loss loss = predictor.predict(hooks, prediction -> {
            reading.accept(prediction, scoring);
            each.accept(prediction);
            count.incrementAndGet();
        });
        if (!Double.isFinite(loss.mean())) {
            throw new TrainingException("the loss on the rows to score is " + loss.mean()
                    + "; a lower learning_rate or dtype fp32 usually helps");
        }
        reading.end(scoring);
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("loss", loss.mean());
        values.putAll(set.values());
        return new Scores(count.get(), values, kept ? intervals(rows) : Map.of(), confusion);
    }

    private static <O> O scored(Prediction prediction, Function<Prediction, O> row) {
        try {
            return row.apply(prediction);
        } catch (IllegalArgumentException notANumber) {
            throw new TrainingException("the model's answer to row " + (prediction.row() + 1) + " cannot be scored: "
                    + notANumber.getMessage());
        }
    }

    private Map<String, Bootstrap.Interval> intervals(List<O> rows) {
        Map<String, Bootstrap.Interval> intervals = new LinkedHashMap<>();
        for (String name : bootstrapped) {
            Supplier<Metric<O>> metric = () -> metrics.get().metric(name);
            intervals.put(name, BOOTSTRAP.interval(rows, metric));
        }
        return intervals;
    }
}
