package dev.graft.cli.eval;

import dev.graft.cli.terminal.Table;
import dev.graft.eval.suites.SuiteReport;
import dev.graft.eval.suites.SuiteReport.TaskScore;
import dev.graft.formats.Json;
import java.util.Locale;
import java.util.stream.Collectors;

/** The scores of a benchmark's tasks for people and for programs. */
record SuiteText(SuiteReport report) {

    String shown(boolean json) {
        if (json) {
            return Json.pretty(report.toJson());
        }
        Table table = new Table("task", "rows", "metrics", "mean");
        for (TaskScore score : report.scores()) {
            String metrics = score.parts().stream()
                    .map(part -> part.entrySet().stream()
                            .map(metric -> metric.getKey() + " "
                                    + (score.task().nonPercentScores().contains(metric.getKey())
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
        StringBuilder below = new StringBuilder("average: " + report.averageText());
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
