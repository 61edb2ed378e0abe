package dev.graft.cli.compare;

import dev.graft.cli.terminal.Table;
import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** The changes between two comparisons: {@code graft compare --diff before after}. */
record ComparisonDiff(Path before, Path after) {
    /** The figures of a method in one of the comparisons. */
    private record MethodScore(double score, double step, long trainable) {}

    private static Fields standings(Path folder) {
        Path file = folder.resolve("standings.json");
        if (!Files.exists(file)) {
            throw new InputException(folder + " has no standings.json, so no comparison has ended there");
        }
        return Fields.read(file);
    }

    private static Map<String, MethodScore> rows(Fields standings) {
        Map<String, MethodScore> rows = new LinkedHashMap<>();
        standings.list("methods").forEach(node -> {
            Fields row = Fields.of(standings.source(), node);
            if (row.bool("scored")) {
                rows.put(row.string("method"), new MethodScore(row.number("score"), row.number("step_seconds"), (long)
                        row.number("trainable")));
            }
        });
        return rows;
    }

    /** @throws InputException if there is no comparison in one of the folders, or they have different metrics */
    String text() {
        Fields first = standings(before);
        Fields second = standings(after);
        String metric = first.string("metric");
        if (!metric.equals(second.string("metric"))) {
            throw new InputException(
                    before + " compares by " + metric + ", " + after + " by " + second.string("metric"));
        }
        Map<String, MethodScore> old = rows(first);
        Map<String, MethodScore> now = rows(second);
        Table table = new Table("method", metric, "before", "change", "step", "trained");
        Set<String> missing = new TreeSet<>(old.keySet());
        missing.removeAll(now.keySet());
        now.forEach((method, row) -> {
            MethodScore was = old.get(method);
            table.row(
                    method,
                    String.format(Locale.ROOT, "%.4f", row.score),
                    was == null ? "new" : String.format(Locale.ROOT, "%.4f", was.score),
                    was == null ? "" : String.format(Locale.ROOT, "%+.4f", row.score - was.score),
                    was == null || was.step == 0 ? "" : String.format(Locale.ROOT, "%.2f ×", row.step / was.step),
                    was == null || was.trainable == row.trainable ? "" : was.trainable + " → " + row.trainable);
        });
        return table + (missing.isEmpty() ? "" : "gone: " + String.join(", ", missing) + "\n");
    }
}
