package dev.graft.cli.eval;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.Loading;
import dev.graft.cli.terminal.Table;
import dev.graft.eval.suites.Respondent;
import dev.graft.eval.suites.Suite;
import dev.graft.eval.suites.SuiteReport;
import dev.graft.eval.suites.SuiteReport.TaskScore;
import dev.graft.eval.suites.SuiteTask;
import dev.graft.eval.suites.SuiteTask.Answer;
import dev.graft.eval.suites.SuiteTask.Item;
import dev.graft.formats.Json;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** A model on the tasks of a benchmark, each with an adapter of its own. */
record SuiteRun(
        Suite suite,
        Path folder,
        String model,
        List<String> adapters,
        HeadOptions head,
        ComputeOptions compute,
        Limits limits,
        PrintWriter err) {
    /**
     * How much is read and written.
     *
     * @param maxLength tokens of a row
     * @param maxNewTokens of a written answer; null for what is usual for a task
     * @param maxRows of a part
     */
    record Limits(int batchSize, int maxLength, @Nullable Integer maxNewTokens, int maxRows) {}

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
                return TaskScore.missing(task, "there is no " + adapter);
            }
        }
        Path first = task.file(folder, task.scored().get(0));
        if (!Files.exists(first)) {
            return TaskScore.missing(task, "there is no " + first);
        }
        Loading loading = Loading.of(model, own, head, compute, err);
        Respondent respondent = new Respondent(
                loading.base(),
                loading.selection().hooks(),
                limits.batchSize(),
                limits.maxLength(),
                limits.maxNewTokens());
        List<Map<String, Double>> parts = new ArrayList<>();
        List<String> notes = new ArrayList<>();
        int rows = 0;
        int all = 0;
        for (String part : task.scored()) {
            List<Item> items = task.read(folder, part);
            List<Item> some = items.subList(0, Math.min(items.size(), limits.maxRows()));
            err.println(task.file(folder, part) + ": " + some.size() + " rows"
                    + (some.size() == items.size() ? "" : " of " + items.size()));
            List<Answer> answers = respondent.answers(task, folder, some);
            parts.add(task.score(answers));
            notes.addAll(task.notes(answers));
            rows += some.size();
            all += items.size();
        }
        return new TaskScore(task, rows, all, parts, notes, null);
    }

    static String shown(SuiteReport report, boolean json) {
        if (json) {
            return Json.pretty(report.toJson());
        }
        Table table = new Table("task", "rows", "metrics", "mean");
        for (TaskScore score : report.scores()) {
            String metrics = score.parts().stream()
                    .map(part -> part.entrySet().stream()
                            .map(metric -> metric.getKey() + " "
                                    + (score.task().plain().contains(metric.getKey())
                                            ? String.format(Locale.ROOT, "%.4f", metric.getValue())
                                            : percent(metric.getValue())))
                            .collect(Collectors.joining(", ")))
                    .collect(Collectors.joining(" / "));
            table.row(
                    score.task().title(),
                    Integer.toString(score.rows()),
                    score.missing() == null ? metrics : score.missing(),
                    score.missing() == null ? percent(score.mean()) : "");
        }
        StringBuilder below = new StringBuilder("average: " + report.averageShown());
        if (!report.groups().isEmpty()) {
            below.append("\naverage of the groups' averages: ").append(percent(report.groupAverage()));
            below.append(report.groups().entrySet().stream()
                    .map(group -> group.getKey() + " " + percent(group.getValue()))
                    .collect(Collectors.joining(", ", " (", ")")));
        }
        report.scores()
                .forEach(score -> score.notes()
                        .forEach(note -> below.append("\n")
                                .append(score.task().title())
                                .append(": ")
                                .append(note)));
        return report.suite().name() + ", " + report.folder()
                + (report.isTwin() ? ": a twin, generated rows, no score of the real benchmark" : " (real)") + "\n"
                + table
                + below;
    }

    private static String percent(double value) {
        return Double.isFinite(value) ? String.format(Locale.ROOT, "%.2f", 100 * value) : "undefined";
    }
}
