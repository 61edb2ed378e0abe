package dev.graft.cli.bench;

import dev.graft.cli.terminal.Table;
import dev.graft.eval.cost.LatencySweep.Point;
import dev.graft.eval.cost.Machine;
import dev.graft.formats.Json;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The points of a sweep, for people and for programs. */
record LatencyTable(String model, List<Point> points) {
    /** A time beside that of the base alone on the same row. */
    private double ratio(Point point) {
        return points.stream()
                .filter(other ->
                        other.tokens() == point.tokens() && other.what().equals("base"))
                .mapToDouble(base -> point.p50() / base.p50())
                .findFirst()
                .orElse(Double.NaN);
    }

    String text() {
        Table table = new Table("tokens", "what", "half, ms", "95 %, ms", "× base", "GFLOP");
        for (Point point : points) {
            table.row(
                    point.tokens(),
                    point.what(),
                    String.format(Locale.ROOT, "%.2f", 1000 * point.p50()),
                    String.format(Locale.ROOT, "%.2f", 1000 * point.p95()),
                    String.format(Locale.ROOT, "%.2f", ratio(point)),
                    String.format(Locale.ROOT, "%.3f", point.flops() / 1e9));
        }
        return table.toString().stripTrailing();
    }

    String json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("model", model);
        ArrayNode rows = json.putArray("rows");
        for (Point point : points) {
            rows.addObject()
                    .put("tokens", point.tokens())
                    .put("what", point.what())
                    .put("p50_seconds", point.p50())
                    .put("p95_seconds", point.p95())
                    .put("beside_base", ratio(point))
                    .put("flop", point.flops());
        }
        json.set("machine", Machine.read().toJson());
        return Json.pretty(json);
    }
}
