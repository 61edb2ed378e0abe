package dev.graft.eval.compare;

import dev.graft.eval.metrics.Bootstrap.Interval;
import dev.graft.eval.report.Report;
import dev.graft.eval.report.Section;
import dev.graft.eval.report.Section.KeyFigure;
import dev.graft.eval.report.Section.Point;
import dev.graft.eval.report.Section.ScatterPoint;
import dev.graft.eval.report.Section.Series;
import dev.graft.eval.report.Section.YScale;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * A comparison as a page.
 *
 * @param frozen the name of the frozen base's entry
 * @param command the command that wrote the page
 */
public record ComparisonPage(Experiment experiment, List<MethodResult> results, String frozen, String command) {
    /** More curves than these can't be told apart. */
    private static final int CURVES = 8;

    /** Steps that a point of a learning curve is the mean of. */
    private static final int SMOOTH = 5;

    public ComparisonPage {
        results = List.copyOf(results);
    }

    /** Returns the page. */
    public Report report() {
        List<Section> sections = new ArrayList<>();
        List<MethodResult> scored = scored();
        if (!scored.isEmpty()) {
            sections.add(figures(scored));
            sections.add(scores(scored));
            addScatter(sections, "Score against trained parameters", "trained parameters", MethodResult::trainable);
        }
        SurveyTables tables = new SurveyTables(results, experiment.metric());
        if (!tables.isEmpty()) {
            sections.add(
                    new Section.Table("Table 1: share, inference, modularity", SurveyTables.FIRST, tables.shares()));
            sections.add(new Section.Table("Table 2: what it costs", tables.second(), tables.costs()));
            addScatter(sections, "Score against step time", "seconds of a training step", result -> {
                Footprint footprint = result.footprint();
                return footprint == null ? 0 : footprint.step();
            });
        }
        if (!scored.isEmpty()) {
            sections.add(curves(scored));
        }
        sections.add(new Section.Text("How it was measured", method()));
        sections.add(new Section.Code("Command", command));
        return new Report(
                "Methods on " + experiment.base().name(),
                String.format(
                        Locale.ROOT,
                        "%d methods; %,d rows to train on, %,d to choose the learning rate by, %,d to test on",
                        results.size(),
                        experiment.train().size(),
                        experiment.validation().size(),
                        experiment.test().size()),
                sections);
    }

    private List<MethodResult> scored() {
        double sign = experiment.greaterIsBetter() ? -1 : 1;
        // Of numbers NaN is the largest, so what has no score comes last.
        return results.stream()
                .filter(MethodResult::hasScore)
                .sorted(Comparator.comparingDouble(result -> sign * result.score()))
                .toList();
    }

    private @Nullable MethodResult named(String name) {
        return results.stream()
                .filter(result -> result.method().equals(name) && result.hasScore())
                .findFirst()
                .orElse(null);
    }

    private Section figures(List<MethodResult> scored) {
        List<KeyFigure> figures = new ArrayList<>();
        MethodResult best = scored.get(0);
        figures.add(new KeyFigure("best " + experiment.metric(), number(best.score()), best.method()));
        for (String name : new String[] {frozen, "full-fine-tuning", "lora"}) {
            MethodResult result = named(name);
            if (result != null) {
                figures.add(new KeyFigure(name, number(result.score()), shown(result.interval())));
            }
        }
        return new Section.KeyFigures("Result", figures);
    }

    private Section scores(List<MethodResult> scored) {
        MethodResult base = named(frozen);
        List<List<String>> rows = new ArrayList<>();
        for (MethodResult result : scored) {
            boolean trained = result.trainable() > 0;
            rows.add(List.of(
                    result.method(),
                    String.format(Locale.ROOT, "%.3g %%", result.trainablePercent()),
                    number(result.score()),
                    shown(result.interval()),
                    shown(result.seedRange()),
                    base == null || !trained ? "" : shown(result.differenceTo(base)),
                    trained
                            ? String.format(Locale.ROOT, "%.1e", result.learningRate())
                                    + (result.isLearningRateAtEdge() ? " (edge)" : "")
                            : "",
                    Integer.toString(result.outcomes().size())));
        }
        return new Section.Table(
                "What it buys",
                List.of(
                        "method",
                        "trained",
                        experiment.metric(),
                        "95 % interval",
                        "lowest … highest seed",
                        "above the frozen base, 95 %",
                        "learning rate",
                        "seeds"),
                rows);
    }

    private void addScatter(List<Section> sections, String title, String cost, ToDoubleFunction<MethodResult> of) {
        List<MethodResult> shown =
                scored().stream().filter(result -> of.applyAsDouble(result) > 0).toList();
        List<ScatterPoint> spots = new ArrayList<>();
        for (MethodResult result : shown) {
            double x = of.applyAsDouble(result);
            boolean beaten = shown.stream()
                    .anyMatch(other -> of.applyAsDouble(other) <= x
                            && !experiment.isBetter(result.score(), other.score())
                            && (of.applyAsDouble(other) < x || experiment.isBetter(other.score(), result.score())));
            spots.add(new ScatterPoint(result.method(), x, result.score(), !beaten));
        }
        if (!spots.isEmpty()) {
            sections.add(new Section.Scatter(title, cost, experiment.metric(), spots));
        }
    }

    private static Section curves(List<MethodResult> scored) {
        List<Series> series = new ArrayList<>();
        for (MethodResult result : scored) {
            List<Double> losses = result.outcomes().get(0).losses();
            if (losses.size() >= SMOOTH && series.size() < CURVES) {
                List<Point> points = new ArrayList<>();
                for (int step = SMOOTH; step <= losses.size(); step++) {
                    double mean = losses.subList(step - SMOOTH, step).stream()
                            .mapToDouble(loss -> loss)
                            .average()
                            .orElse(Double.NaN);
                    points.add(new Point(step, mean));
                }
                series.add(new Series(result.method(), points));
            }
        }
        return new Section.LineChart(
                "Training loss of the best, the mean of " + SMOOTH + " steps", "step", "loss", YScale.LINEAR, series);
    }

    private String method() {
        return "Every method tried the same learning rates, as factors of its usual one, with the first seed; the rate"
                + " that was best on the validation rows was trained with the other seeds too. Scores are on the test"
                + " rows, by which nothing was chosen. The frozen base of a classifier has a linear probe as its head,"
                + " from which every method starts.\n\n"
                + "Intervals draw the test rows and the seeds again, a thousand times; differences are taken on the same"
                + " rows. " + SurveyTables.BANDS + "\n\n"
                + "Costs were measured in a fresh process for each method: the median of"
                + " training steps after two, the most resident memory of the process (Java"
                + " and libtorch included), single rows from the shortest to the longest. A"
                + " small base hides what a method saves: its activations outweigh"
                + " gradients and moments.";
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.4f", value);
    }

    private static String shown(@Nullable Interval interval) {
        return interval == null ? "" : number(interval.low()) + " … " + number(interval.high());
    }
}
