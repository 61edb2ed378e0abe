package dev.graft.cli.train;

import dev.graft.cli.terminal.Table;
import dev.graft.run.SweepRun.Result;
import dev.graft.run.SweepRun.SweepSummary;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** The runs of a sweep as a table, the best first. */
record SweepTable(SweepSummary summary) {

    String text() {
        return table(summary.results()) + (summary.complete() ? "" : "\nNot every run has finished; see its log.\n");
    }

    private static String shown(@Nullable Double score) {
        return score == null ? "" : String.format(Locale.ROOT, "%.4g", score);
    }

    private static String table(List<Result> results) {
        Set<String> names = new LinkedHashSet<>();
        results.forEach(result -> names.addAll(result.settings().keySet()));
        String metric = results.stream()
                .map(Result::metric)
                .filter(name -> !name.isEmpty())
                .findFirst()
                .orElse("score");
        List<String> header = new ArrayList<>(List.of("run"));
        header.addAll(names);
        header.addAll(List.of(metric, "seconds", ""));
        Table table = new Table(header.toArray(String[]::new));
        for (Result result : results) {
            List<Object> row = new ArrayList<>(List.of(result.name()));
            names.forEach(name -> row.add(result.settings().getOrDefault(name, "")));
            JsonNode report = result.report();
            row.add(shown(result.score()));
            row.add(
                    report == null
                            ? ""
                            : String.format(
                                    Locale.ROOT, "%.0f", report.path("seconds").doubleValue()));
            row.add(result.state().equals("finished") ? "" : result.state());
            table.row(row.toArray());
        }
        return table.toString();
    }
}
