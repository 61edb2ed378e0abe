package dev.graft.eval.run;

import dev.graft.eval.metrics.Bootstrap;
import dev.graft.eval.metrics.ClassPrediction;
import dev.graft.eval.metrics.ConfusionMatrix;
import dev.graft.eval.metrics.LabelSetPrediction;
import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.MetricSet;
import dev.graft.eval.metrics.RewardPair;
import dev.graft.eval.metrics.Segmentation;
import dev.graft.eval.metrics.TokenScores;
import dev.graft.eval.metrics.ValuePrediction;
import dev.graft.eval.metrics.spans.TagPrediction;
import dev.graft.eval.metrics.spans.TagScheme;
import dev.graft.eval.metrics.text.TextPrediction;
import dev.graft.formats.InputException;
import dev.graft.models.Task;
import dev.graft.models.sites.Hooks;
import dev.graft.train.Evaluation;
import dev.graft.train.Predictor;
import dev.graft.train.TrainingException;
import dev.graft.train.data.Goal;
import dev.graft.train.data.Label;
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
 * The metrics of a task.
 *
 * <pre>{@code
 * Scorer<?> scorer = Scorer.of(data);
 * Scores scores = scorer.score(new Predictor(base, examples, 32), Selection.of(adapter).hooks(), true);
 * scores.metrics().get("macro_f1");
 * }</pre>
 *
 * @param <O> what a metric takes of a row
 */
public final class Scorer<O> {
    private static final Bootstrap BOOTSTRAP = new Bootstrap(500, 0.95, 42);

    private final Supplier<MetricSet<O>> metrics;
    private final Function<Prediction, O> row;
    private final List<String> bootstrapped;
    private final int classes;

    private Scorer(
            Supplier<MetricSet<O>> metrics, Function<Prediction, O> row, List<String> bootstrapped, int classes) {
        this.metrics = metrics;
        this.row = row;
        this.bootstrapped = bootstrapped;
        this.classes = classes;
    }

    /**
     * Accuracy and F1 for classes, F1 over label sets, errors and correlations for numbers, perplexity for texts, exact match for
     * answers; for images with texts how often an image's own text fits it best of its batch, for masks intersection over union.
     */
    public static Scorer<?> of(RunData data) {
        int classes = data.labels().size();
        Label.Kind kind = data.kind();
        if (data.task() == Task.SEQ_2_SEQ_LM) {
            return new Scorer<>(MetricSet::answers, Scorer::tokens, List.of("perplexity", "exact_match"), 0);
        }
        if (data.task() == Task.QUESTION_ANS) {
            boolean mayBeNone = data.leavesOpen();
            return new Scorer<>(MetricSet::foundAnswers, prediction -> found(prediction, mayBeNone), List.of("f1"), 0);
        }
        if (data.task() == Task.MULTIPLE_CHOICE) {
            return new Scorer<>(MetricSet::choices, Scorer::oneClass, List.of("accuracy"), 0);
        }
        if (data.goal() instanceof Goal.Kto) {
            return new Scorer<>(MetricSet::judgements, Scorer::judged, List.of("reward_chosen", "reward_rejected"), 0);
        }
        if (!data.goal().equals(Goal.TARGETS)) {
            return new Scorer<>(MetricSet::preferences, Scorer::pair, List.of("reward_accuracy", "reward_margin"), 0);
        }
        if (data.task() == Task.CONTRASTIVE) {
            return new Scorer<>(MetricSet::choice, Scorer::oneClass, List.of("accuracy"), 0);
        }
        if (data.task() == Task.SEMANTIC_SEG) {
            return new Scorer<>(() -> MetricSet.segmentation(classes), Scorer::points, List.of(), 0);
        }
        if (kind == null) {
            return new Scorer<>(MetricSet::languageModel, Scorer::tokens, List.of("perplexity", "token_accuracy"), 0);
        }
        return switch (kind) {
            case ONE ->
                new Scorer<>(
                        () -> MetricSet.classification(classes),
                        Scorer::oneClass,
                        List.of("accuracy", "macro_f1"),
                        classes);
            case MANY ->
                new Scorer<>(
                        () -> MetricSet.multiLabel(classes),
                        Scorer::manyClasses,
                        List.of("micro_f1", "macro_f1", "exact_match"),
                        0);
            case EACH -> tagging(data.labels().names());
            case SCORE -> new Scorer<>(MetricSet::regression, Scorer::value, List.of("mae", "rmse"), 0);
        };
    }

    private static Scorer<TagPrediction> tagging(List<String> names) {
        return new Scorer<>(
                () -> MetricSet.tags(names),
                prediction -> {
                    List<Prediction.OneClass> tokens = ((Prediction.Tags) prediction).tokens();
                    return new TagPrediction(
                            tokens.stream()
                                    .map(token -> names.get(token.target()))
                                    .toList(),
                            tokens.stream()
                                    .map(token -> names.get(token.predicted()))
                                    .toList());
                },
                List.of(TagScheme.of(names) == null ? "tag_accuracy" : "f1"),
                0);
    }

    private static TextPrediction found(Prediction prediction, boolean mayBeNone) {
        Prediction.Answer answer = (Prediction.Answer) prediction;
        return new TextPrediction(answer.text(mayBeNone), answer.passage().references());
    }

    private static Segmentation.Row points(Prediction prediction) {
        Prediction.Points points = (Prediction.Points) prediction;
        return new Segmentation.Row(points.target(), points.predicted());
    }

    private static ClassPrediction oneClass(Prediction prediction) {
        Prediction.OneClass one = (Prediction.OneClass) prediction;
        return new ClassPrediction(one.target(), one.predicted());
    }

    private static LabelSetPrediction manyClasses(Prediction prediction) {
        Prediction.ManyClasses many = (Prediction.ManyClasses) prediction;
        return LabelSetPrediction.of(many.target(), many.predicted());
    }

    private static ValuePrediction value(Prediction prediction) {
        Prediction.Value value = (Prediction.Value) prediction;
        return new ValuePrediction(value.target(), value.predicted());
    }

    private static RewardPair pair(Prediction prediction) {
        Prediction.Pair pair = (Prediction.Pair) prediction;
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
     * Whether a larger value of a metric is better.
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

    /** The metrics during training, without intervals. */
    public Evaluation evaluation(Predictor predictor) {
        return Evaluation.of(predictor, hooks -> score(predictor, hooks, false).metrics());
    }

    /**
     * Scores a model.
     *
     * @param intervals whether to draw the rows again for confidence intervals
     * @throws TrainingException if what the model says is not a number
     */
    public Scores score(Predictor predictor, Hooks hooks, boolean intervals) {
        return score(predictor, hooks, intervals, prediction -> {});
    }

    /**
     * Scores a model.
     *
     * @param intervals whether to draw the rows again for confidence intervals
     * @param each is handed what the model says about each row
     * @throws TrainingException if what the model says is not a number
     */
    public Scores score(Predictor predictor, Hooks hooks, boolean intervals, Consumer<Prediction> each) {
        MetricSet<O> set = metrics.get();
        ConfusionMatrix confusion = classes > 0 ? new ConfusionMatrix(classes) : null;
        boolean kept = intervals && !bootstrapped.isEmpty();
        List<O> rows = new ArrayList<>();
        AtomicInteger count = new AtomicInteger();
        Loss loss = predictor.predict(hooks, prediction -> {
            O scored = scored(prediction);
            each.accept(prediction);
            count.incrementAndGet();
            if (kept) {
                rows.add(scored);
            }
            set.update(scored);
            if (confusion != null && scored instanceof ClassPrediction one) {
                confusion.add(one);
            }
        });
        if (!Double.isFinite(loss.mean())) {
            throw new TrainingException("the loss on the rows to score is " + loss.mean()
                    + "; a lower learning_rate or dtype fp32 usually helps");
        }
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("loss", loss.mean());
        values.putAll(set.values());
        return new Scores(count.get(), values, kept ? intervals(rows) : Map.of(), confusion);
    }

    private O scored(Prediction prediction) {
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
