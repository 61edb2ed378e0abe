package dev.graft.cli.eval;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.Loading;
import dev.graft.cli.terminal.Table;
import dev.graft.eval.run.RunData;
import dev.graft.eval.run.Scorer;
import dev.graft.eval.suites.Suite;
import dev.graft.eval.suites.SuiteReport;
import dev.graft.eval.suites.SuiteReport.TaskScore;
import dev.graft.eval.suites.SuiteTask;
import dev.graft.eval.suites.SuiteTask.Answer;
import dev.graft.eval.suites.SuiteTask.Item;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.train.Predictor;
import dev.graft.train.data.Dataset;
import dev.graft.train.data.Examples;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Rows;
import dev.graft.train.data.Splits;
import dev.graft.train.data.sets.RowsFile;
import dev.graft.train.loss.Prediction;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** A model on the tasks of a benchmark, each with an adapter of its own. */
record SuiteRun(
        Suite suite,
        Path folder,
        String model,
        List<String> adapters,
        HeadOptions head,
        ComputeOptions compute,
        int batchSize,
        int maxLength,
        PrintWriter err) {
    /** Stands for the task's name in the names of adapters. */
    static final String TASK = "{task}";

    /** @param titles of the tasks to score; empty for all */
    SuiteReport run(List<String> titles) {
        titles.forEach(suite::task);
        List<TaskScore> scores = new ArrayList<>();
        for (SuiteTask task : suite.tasks()) {
            if (titles.isEmpty() || titles.contains(task.title())) {
                scores.add(score(task));
            }
        }
        return new SuiteReport(suite, folder, Suite.isTwin(folder), scores);
    }

    private TaskScore score(SuiteTask task) {
        List<String> own = adapters.stream()
                .map(adapter -> adapter.replace(TASK, task.title()))
                .toList();
        for (String adapter : own) {
            if (adapters.stream().anyMatch(name -> name.contains(TASK)) && !Files.exists(Path.of(adapter))) {
                return new TaskScore(task, 0, List.of(), "there is no " + adapter);
            }
        }
        if (!Files.exists(task.file(folder, task.scored().get(0)))) {
            return new TaskScore(
                    task,
                    0,
                    List.of(),
                    "there is no " + task.file(folder, task.scored().get(0)));
        }
        List<Map<String, Double>> parts = new ArrayList<>();
        int rows = 0;
        Loading loading = Loading.of(model, own, head, compute, err);
        for (String part : task.scored()) {
            List<Item> items = task.read(folder, part);
            err.println(task.file(folder, part) + ": " + items.size() + " rows");
            parts.add(task.score(answers(items, loading)));
            rows += items.size();
        }
        return new TaskScore(task, rows, parts, null);
    }

    private List<Answer> answers(List<Item> items, Loading loading) {
        try {
            Path work = Files.createTempDirectory("graft-suite");
            try {
                Rows rows = Rows.of("rows", items.stream().map(Item::row).toList());
                RowsFile.write(new Splits(rows, null, null, List.of()), work);
                try (Dataset data = Dataset.open(work.resolve("train.jsonl"))) {
                    return answers(items, data, loading.base(), loading);
                }
            } finally {
                Files.deleteIfExists(work.resolve("train.jsonl"));
                Files.delete(work);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot keep rows for a while: " + e.getMessage(), e);
        }
    }

    private List<Answer> answers(List<Item> items, Dataset rows, Base base, Loading loading) {
        RunData task = RunData.of(rows, base);
        int most = Math.min(maxLength, base.backbone().maxPositions());
        Examples examples =
                Examples.encode(rows, task.encoder(base, loading::chat, LossOn.COMPLETION), most, Overflow.TRUNCATE);
        Answer[] answers = new Answer[items.size()];
        List<String> labels = task.labels().names();
        Scorer.of(task)
                .score(
                        new Predictor(base, examples, batchSize),
                        loading.selection().hooks(),
                        false,
                        prediction ->
                                answers[prediction.row()] = answer(items.get(prediction.row()), prediction, labels));
        return List.of(answers);
    }

    private static Answer answer(Item item, Prediction prediction, List<String> labels) {
        if (prediction instanceof Prediction.Value value) {
            return new Answer(item, "", value.predicted());
        } else if (prediction instanceof Prediction.OneClass one) {
            int yes = labels.indexOf(SuiteTask.YES);
            return new Answer(item, labels.get(one.predicted()), yes < 0 ? 0 : one.probabilities()[yes]);
        }
        throw new InputException("the model doesn't classify, so it can't answer the rows of a suite");
    }

    static String shown(SuiteReport report, boolean json) {
        if (json) {
            return Json.pretty(report.toJson());
        }
        Table table = new Table("task", "rows", "metrics", "mean");
        for (TaskScore score : report.scores()) {
            String metrics = score.parts().stream()
                    .map(part -> part.entrySet().stream()
                            .map(metric -> metric.getKey() + " " + percent(metric.getValue()))
                            .collect(Collectors.joining(", ")))
                    .collect(Collectors.joining(" / "));
            table.row(
                    score.task().title(),
                    Integer.toString(score.rows()),
                    score.missing() == null ? metrics : score.missing(),
                    score.missing() == null ? percent(score.mean()) : "");
        }
        return report.suite().name() + ", dev rows of " + report.folder()
                + (report.isTwin() ? ": a twin, generated rows, no score of the real benchmark" : " (real)") + "\n"
                + table
                + "average: " + report.averageShown();
    }

    private static String percent(double value) {
        return Double.isFinite(value) ? String.format(Locale.ROOT, "%.2f", 100 * value) : "undefined";
    }
}
