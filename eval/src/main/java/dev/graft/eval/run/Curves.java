package dev.graft.eval.run;

import dev.graft.eval.report.Section;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Started;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.TrainingListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * Collects the curves for a run's report. A resumed run reads the earlier values from its JSON lines log, if there is one.
 */
public final class Curves implements TrainingListener {
    private final Path log;
    private final List<Section.Point> losses = new ArrayList<>();
    private final List<Section.Point> rates = new ArrayList<>();
    private final Map<String, List<Section.Point>> scores = new LinkedHashMap<>();

    /**
     * Creates empty curves.
     *
     * @param log the file of {@link dev.graft.train.log.JsonLinesLog}; it need not exist
     */
    public Curves(Path log) {
        this.log = log;
    }

    @Override
    public void onStart(Started started) {
        if (started.step() == 0 || !Files.exists(log)) {
            return;
        }
        try {
            String text = Files.readString(log);
            // A line that was cut when its process was killed is none.
            for (String line :
                    text.substring(0, text.lastIndexOf('\n') + 1).lines().toList()) {
                read(Json.parse(log.toString(), line), started.step());
            }
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + log, e);
        } catch (InputException damaged) {
            losses.clear();
            rates.clear();
            scores.clear();
        }
    }

    private void read(JsonNode event, long last) {
        long step = event.path("step").asLong(Long.MAX_VALUE);
        if (step > last) {
            return;
        }
        switch (event.path("event").asString("")) {
            case "step" -> {
                losses.add(new Section.Point(step, event.path("loss").asDouble(Double.NaN)));
                rates.add(new Section.Point(step, event.path("learning_rate").asDouble(Double.NaN)));
            }
            case "evaluate" ->
                event.path("metrics")
                        .properties()
                        .forEach(metric ->
                                score(metric.getKey(), step, metric.getValue().asDouble(Double.NaN)));
            default -> {}
        }
    }

    private void score(String metric, long step, double value) {
        scores.computeIfAbsent(metric, key -> new ArrayList<>()).add(new Section.Point(step, value));
    }

    @Override
    public void onStep(Stepped stepped) {
        losses.add(new Section.Point(stepped.step(), stepped.loss()));
        rates.add(new Section.Point(stepped.step(), stepped.learningRate()));
    }

    @Override
    public void onEvaluate(Evaluated evaluated) {
        evaluated.metrics().forEach((metric, value) -> score(metric, evaluated.step(), value));
    }

    /** Returns charts of the loss, the scores between 0 and 1, and the learning rate over optimiser steps. */
    public List<Section> sections() {
        List<Section> sections = new ArrayList<>();
        if (losses.isEmpty()) {
            return sections;
        }
        List<Section.Series> loss = new ArrayList<>();
        loss.add(new Section.Series("training", losses));
        List<Section.Point> validation = scores.get("loss");
        if (validation != null) {
            loss.add(new Section.Series("validation", validation));
        }
        sections.add(new Section.LineChart("Loss", "optimiser step", "loss", Section.YScale.LINEAR, loss));
        List<Section.Series> shares = new ArrayList<>();
        for (String metric : List.of(
                "accuracy",
                "macro_f1",
                "micro_f1",
                "tag_accuracy",
                "exact_match",
                "r2",
                "pearson",
                "token_accuracy",
                "reward_accuracy")) {
            List<Section.Point> points = scores.get(metric);
            if (points != null) {
                shares.add(new Section.Series(metric, points));
            }
        }
        if (!shares.isEmpty()) {
            sections.add(new Section.LineChart(
                    "Validation scores", "optimiser step", "score", Section.YScale.LINEAR, shares));
        }
        sections.add(new Section.LineChart(
                "Learning rate",
                "optimiser step",
                "learning rate",
                Section.YScale.LINEAR,
                List.of(new Section.Series("learning rate", rates))));
        return sections;
    }
}
