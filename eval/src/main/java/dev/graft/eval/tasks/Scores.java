package dev.graft.eval.tasks;

import dev.graft.eval.metrics.Bootstrap;
import dev.graft.eval.metrics.ConfusionMatrix;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The scores of a model on some rows.
 *
 * @param metrics by name, {@code loss} first
 * @param intervals the 95 % confidence intervals of metrics that have one
 * @param confusion of a classifier with one class a row, else null
 */
public record Scores(
        int rows,
        Map<String, Double> metrics,
        Map<String, Bootstrap.Interval> intervals,
        @Nullable ConfusionMatrix confusion) {

    /**
     * Returns {@code {"rows": 480, "loss": 0.41, "accuracy": 0.86, "intervals": {"accuracy": [0.83, 0.89]}}}; NaN is null.
     */
    public ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("rows", rows);
        metrics.forEach((name, value) -> put(json, name, value));
        if (!intervals.isEmpty()) {
            ObjectNode bounds = json.putObject("intervals");
            intervals.forEach((name, interval) -> {
                if (Double.isFinite(interval.low())) {
                    bounds.putArray(name).add(interval.low()).add(interval.high());
                } else {
                    bounds.putNull(name);
                }
            });
        }
        return json;
    }

    /** Adds a number; null where it isn't finite. */
    public static void put(ObjectNode json, String name, double value) {
        if (Double.isFinite(value)) {
            json.put(name, value);
        } else {
            json.putNull(name);
        }
    }
}
