package dev.graft.cli.compare;

import dev.graft.cli.terminal.Table;
import dev.graft.eval.compare.MethodResult;
import dev.graft.eval.compare.SurveyTables;
import dev.graft.eval.metrics.Bootstrap.Interval;
import dev.graft.run.compare.Standings;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** The standings of a comparison for people. */
record ResultsTable(Standings standings) {
    String text() {
        List<MethodResult> results = standings.results();
        MethodResult frozen = standings.frozen();
        String metric = results.get(0).metric();
        Table table = new Table("method", "trained", "%", "rate", metric, "95 %", "seeds", "above frozen", "step");
        StringBuilder without = new StringBuilder();
        for (MethodResult result : results) {
            if (!result.hasScore()) {
                without.append(without.isEmpty() ? "\nno score: " : ", ").append(result.method());
                continue;
            }
            boolean trained = result.trainable() > 0;
            table.row(
                    result.method(),
                    trained ? String.format(Locale.ROOT, "%,d", result.trainable()) : "",
                    trained ? String.format(Locale.ROOT, "%.3f", result.trainablePercent()) : "",
                    trained
                            ? String.format(Locale.ROOT, "%.1e", result.learningRate())
                                    + (result.isLearningRateAtEdge() ? "*" : "")
                            : "",
                    String.format(Locale.ROOT, "%.4f", result.score()),
                    shown(result.interval()),
                    result.outcomes().size(),
                    trained && frozen != null ? shown(result.differenceTo(frozen)) : "",
                    trained ? String.format(Locale.ROOT, "%.0f ms", 1000 * result.stepSeconds()) : "");
        }
        String edge = results.stream().anyMatch(result -> result.hasScore() && result.isLearningRateAtEdge())
                ? "* the lowest or highest rate that was tried: one beyond it may be better\n"
                : "";
        return table + edge + (without.isEmpty() ? "" : without + "\n") + surveyed(results, metric);
    }

    /** The survey's tables, where costs were measured. */
    private static String surveyed(List<MethodResult> results, String metric) {
        SurveyTables tables = new SurveyTables(results, metric);
        return tables.isEmpty()
                ? ""
                : "\nTable 1: share, inference, modularity\n" + table(SurveyTables.FIRST, tables.shares())
                        + "\nTable 2: what it costs\n" + table(tables.second(), tables.costs());
    }

    private static Table table(List<String> head, List<List<String>> rows) {
        Table table = new Table(head.toArray(String[]::new));
        rows.forEach(row -> table.row(row.toArray()));
        return table;
    }

    private static String shown(@Nullable Interval interval) {
        return interval == null ? "" : String.format(Locale.ROOT, "%.4f … %.4f", interval.low(), interval.high());
    }
}
