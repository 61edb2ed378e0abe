package dev.graft.cli.recommend;

import dev.graft.cli.terminal.Table;
import dev.graft.formats.Json;
import dev.graft.run.progress.UnitFormat;
import dev.graft.run.recommend.RecommendRun.Candidate;
import dev.graft.run.recommend.RecommendRun.Fit;
import dev.graft.run.recommend.RecommendRun.Recommendation;
import java.time.Duration;
import java.util.Locale;
import java.util.Objects;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A recommendation for people and for programs. */
record RecommendationText(Recommendation advice) {
    String text() {
        Table table = new Table("method", "memory", "time", "fits", "measured before");
        for (Candidate each : advice.tried()) {
            Duration time = each.time();
            table.row(
                    each.method(),
                    each.memory() == 0 ? "" : UnitFormat.bytes(each.memory()),
                    time == null ? "" : UnitFormat.duration(time),
                    each.fit() == Fit.FITS ? "yes" : why(each),
                    each.known());
        }
        StringBuilder text = new StringBuilder(table.toString());
        advice.race()
                .forEach((method, score) ->
                        text.append(String.format(Locale.ROOT, "race: %s %.4f on validation rows%n", method, score)));
        String first = advice.first();
        return text.append(
                        first == null
                                ? "nothing fits: a smaller batch_size, max_seq_length or base needs less"
                                : "try first: " + advice.command() + " method=" + first)
                .toString();
    }

    String json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        ArrayNode rows = json.putArray("methods");
        for (Candidate each : advice.tried()) {
            ObjectNode row = rows.addObject().put("method", each.method());
            Duration time = each.time();
            if (each.memory() > 0) {
                row.put("memory_bytes", each.memory());
            }
            if (time != null) {
                row.put("seconds", time.toMillis() / 1000.0);
            }
            row.put("fits", each.fit() == Fit.FITS);
            if (each.fit() != Fit.FITS) {
                row.put("why_not", why(each));
            }
            row.put("known", each.known());
        }
        if (!advice.race().isEmpty()) {
            ObjectNode scores = json.putObject("race");
            advice.race().forEach(scores::put);
        }
        json.put("first", advice.first());
        return Json.pretty(json);
    }

    private static String why(Candidate each) {
        return switch (each.fit()) {
            case FITS -> "";
            case NEEDS_MEMORY -> "no: needs more memory";
            case TAKES_LONGER -> "no: takes longer";
            case REFUSED ->
                "no: "
                        + String.valueOf(Objects.requireNonNull(each.refused()).getMessage())
                                .lines()
                                .findFirst()
                                .orElse("");
        };
    }
}
