package dev.graft.eval.run;

import dev.graft.eval.cost.Cost;
import dev.graft.eval.cost.Machine;
import dev.graft.eval.metrics.Bootstrap;
import dev.graft.eval.metrics.ConfusionMatrix;
import dev.graft.eval.report.Html;
import dev.graft.eval.report.Report;
import dev.graft.eval.report.Section;
import dev.graft.eval.tasks.Scores;
import dev.graft.eval.tasks.TaskSpec;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import dev.graft.peft.Adapter;
import dev.graft.train.TrainResult;
import dev.graft.train.checkpoints.BestScore;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The report of a training run, as {@code report.json} and {@code report.html}.
 *
 * @param data detected facts of the data, and warnings
 * @param before the scores on the validation rows before the first step; null without such rows
 * @param validation the scores of the adapter on the validation rows; null without such rows
 * @param test the scores on the test rows; null without them
 * @param config the resolved config, as text
 */
public record RunReport(
        Adapter adapter,
        TaskSpec taskSpec,
        List<String> data,
        TrainResult result,
        @Nullable Scores before,
        @Nullable Scores validation,
        @Nullable Scores test,
        Cost cost,
        Curves curves,
        String config) {

    /** Writes {@code report.json} and {@code report.html}. */
    public void write(Path folder) {
        AtomicWrite.text(folder.resolve("report.json"), Json.pretty(toJson()) + "\n");
        AtomicWrite.text(folder.resolve("report.html"), Html.render(toReport()));
    }

    /** Returns the content of {@code report.json}. */
    public ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("base", adapter.base().name());
        json.put("base_fingerprint", adapter.base().fingerprint());
        json.put("method", adapter.method().type().name());
        json.put("task", taskSpec.task().name());
        json.put("trainable_parameters", adapter.trainableCount());
        json.put("trainable_percent", trainablePercent());
        json.put("reason", reason());
        json.put("steps", result.steps());
        if (result.startStep() > 0) {
            // What it took is that of the steps since.
            json.put("resumed_at_step", result.startStep());
        }
        json.put("tokens", result.tokens());
        json.put("seconds", result.elapsed().toMillis() / 1000.0);
        Scores.put(json, "loss", result.loss());
        BestScore best = result.best();
        if (best != null && best.value() != null) {
            ObjectNode node =
                    json.putObject("best").put("metric", best.metric()).put("step", best.step());
            Scores.put(node, "value", best.value());
            node.put("greater_is_better", best.greaterIsBetter());
        }
        put(json, "before", before);
        put(json, "validation", validation);
        put(json, "test", test);
        json.set("cost", cost.toJson());
        json.set("machine", Machine.read().toJson());
        Path saved = result.adapter();
        if (saved != null) {
            json.put("adapter", saved.toString());
        }
        return json;
    }

    private static void put(ObjectNode json, String name, @Nullable Scores scores) {
        if (scores != null) {
            json.set(name, scores.toJson());
        }
    }

    private String reason() {
        return result.reason().name().toLowerCase(Locale.ROOT);
    }

    private double trainablePercent() {
        return Double.parseDouble(adapter.trainableLine().replaceAll(".*trainable%: ", ""));
    }

    private Report toReport() {
        List<Section> sections = new ArrayList<>();
        sections.add(new Section.KeyFigures("Result", figures()));
        sections.addAll(curves.sections());
        List<List<String>> rows = new ArrayList<>();
        rows(rows, "validation, before", before);
        rows(rows, "validation", validation);
        rows(rows, "test", test);
        if (!rows.isEmpty()) {
            sections.add(new Section.Table("Scores", List.of("rows", "metric", "value", "95 % from", "95 % to"), rows));
        }
        confusion(sections, "Confusion on the validation rows", validation);
        confusion(sections, "Confusion on the test rows", test);
        sections.add(new Section.Text("Data", String.join("\n\n", data)));
        sections.add(new Section.Code("Config", config));
        return new Report(
                adapter.method().type().name() + " on " + adapter.base().name(), adapter.trainableLine(), sections);
    }

    private List<Section.KeyFigure> figures() {
        List<Section.KeyFigure> figures = new ArrayList<>();
        Scores last = test != null ? test : validation;
        if (last != null) {
            String where = test != null ? "test rows" : "validation rows";
            last.metrics().entrySet().stream().limit(3).forEach(metric -> {
                Double was =
                        test != null || before == null ? null : before.metrics().get(metric.getKey());
                figures.add(new Section.KeyFigure(
                        metric.getKey(),
                        shown(metric.getValue()),
                        was == null ? where : where + ", " + shown(was) + " before"));
            });
        } else {
            figures.add(new Section.KeyFigure("training loss", shown(result.loss()), "of the last step"));
        }
        figures.add(new Section.KeyFigure("trained", shown(trainablePercent()) + " %", "of all parameters"));
        figures.add(new Section.KeyFigure("steps", Long.toString(result.steps()), reason().replace('_', ' ')));
        double seconds = result.elapsed().toMillis() / 1000.0;
        figures.add(new Section.KeyFigure(
                "time", String.format(Locale.ROOT, "%.1f s", seconds), "evaluations and checkpoints included"));
        Double joules = cost.energy().value();
        Double grams = cost.emissions().value();
        if (joules != null && grams != null) {
            figures.add(new Section.KeyFigure(
                    "energy",
                    String.format(Locale.ROOT, "%,.0f J, %.2g g CO2e", joules, grams),
                    cost.energy().source().startsWith("estimated")
                            ? "estimated from processor time"
                            : "counted by RAPL"));
        }
        Long peak = cost.peakResident().value();
        if (peak != null) {
            figures.add(new Section.KeyFigure("peak memory", peak / 1_000_000 + " MB", "resident, of the process"));
        }
        return figures;
    }

    private static void rows(List<List<String>> rows, String where, @Nullable Scores scores) {
        if (scores == null) {
            return;
        }
        for (Map.Entry<String, Double> metric : scores.metrics().entrySet()) {
            Bootstrap.Interval interval = scores.intervals().get(metric.getKey());
            rows.add(List.of(
                    where,
                    metric.getKey(),
                    shown(metric.getValue()),
                    interval == null ? "" : shown(interval.low()),
                    interval == null ? "" : shown(interval.high())));
        }
    }

    private void confusion(List<Section> sections, String title, @Nullable Scores scores) {
        ConfusionMatrix confusion = scores == null ? null : scores.confusion();
        if (confusion != null) {
            sections.add(new Section.Confusion(title, taskSpec.names(), confusion.counts()));
        }
    }

    private static String shown(double value) {
        return Double.isNaN(value) ? "NaN" : String.format(Locale.ROOT, "%.4g", value);
    }
}
