package dev.graft.cli.compare;

import dev.graft.cli.terminal.Table;
import dev.graft.eval.compare.Standing;
import dev.graft.eval.compare.SurveyTables;
import dev.graft.eval.metrics.Bootstrap.Interval;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The standings of a comparison for people and for programs. */
record StandingsTable(List<Standing> standings) {
    String text() {
        Standing frozen = frozen();
        String metric = standings.get(0).metric();
        Table table = new Table("method", "trained", "%", "rate", metric, "95 %", "seeds", "above frozen", "step");
        StringBuilder without = new StringBuilder();
        for (Standing standing : standings) {
            if (!standing.scored()) {
                without.append(without.isEmpty() ? "\nno score: " : ", ").append(standing.method());
                continue;
            }
            boolean trained = standing.trainable() > 0;
            table.row(
                    standing.method(),
                    trained ? String.format(Locale.ROOT, "%,d", standing.trainable()) : "",
                    trained ? String.format(Locale.ROOT, "%.3f", standing.trainablePercent()) : "",
                    trained ? String.format(Locale.ROOT, "%.1e", standing.rate()) + (standing.atEdge() ? "*" : "") : "",
                    String.format(Locale.ROOT, "%.4f", standing.score()),
                    shown(standing.interval()),
                    standing.outcomes().size(),
                    trained && frozen != null ? shown(standing.above(frozen)) : "",
                    trained ? String.format(Locale.ROOT, "%.0f ms", 1000 * standing.step()) : "");
        }
        String edge = standings.stream().anyMatch(standing -> standing.scored() && standing.atEdge())
                ? "* the lowest or highest rate that was tried: one beyond it may be better\n"
                : "";
        return table + edge + (without.isEmpty() ? "" : without + "\n") + surveyed(metric);
    }

    /** The survey's tables, where costs were measured. */
    private String surveyed(String metric) {
        SurveyTables tables = new SurveyTables(standings, metric);
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

    private @Nullable Standing frozen() {
        return standings.stream()
                .filter(standing -> standing.method().equals(Workbench.FROZEN) && standing.scored())
                .findFirst()
                .orElse(null);
    }

    private static String shown(@Nullable Interval interval) {
        return interval == null ? "" : String.format(Locale.ROOT, "%.4f … %.4f", interval.low(), interval.high());
    }

    ObjectNode json() {
        Standing frozen = frozen();
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("metric", standings.get(0).metric());
        standings.stream()
                .flatMap(standing -> standing.outcomes().stream())
                .findFirst()
                .ifPresent(outcome -> {
                    json.put("base", outcome.experiment().path("base").asString(""));
                    json.put("task", outcome.experiment().path("task").asString(""));
                });
        ArrayNode rows = json.putArray("methods");
        for (Standing standing : standings) {
            ObjectNode row = rows.addObject().put("method", standing.method());
            row.put("scored", standing.scored());
            if (standing.scored()) {
                row.put("trainable", standing.trainable());
                row.put("trainable_percent", standing.trainablePercent());
                row.put("learning_rate", standing.rate());
                row.put("rate_at_edge", standing.atEdge());
                row.put("seeds", standing.outcomes().size());
                row.put("score", standing.score());
                put(row, "seed_band", standing.band());
                put(row, "interval", standing.interval());
                if (frozen != null) {
                    put(row, "above_frozen", standing.above(frozen));
                }
                row.put("step_seconds", standing.step());
            }
        }
        return json;
    }

    private static void put(ObjectNode row, String name, @Nullable Interval interval) {
        if (interval != null) {
            row.putArray(name).add(interval.low()).add(interval.high());
        }
    }
}
