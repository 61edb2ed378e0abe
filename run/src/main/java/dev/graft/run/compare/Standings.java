package dev.graft.run.compare;

import dev.graft.eval.compare.MethodResult;
import dev.graft.eval.metrics.Bootstrap.Interval;
import dev.graft.formats.Json;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The results of a comparison, the best first. */
public record Standings(List<MethodResult> results) {

    /** Returns the result of the frozen base; null if it has no score. */
    public @Nullable MethodResult frozen() {
        return results.stream()
                .filter(result -> result.method().equals(ExperimentSetup.FROZEN) && result.hasScore())
                .findFirst()
                .orElse(null);
    }

    /** Returns the content of {@code standings.json}. */
    public String json() {
        MethodResult frozen = frozen();
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("metric", results.get(0).metric());
        results.stream()
                .flatMap(result -> result.outcomes().stream())
                .findFirst()
                .ifPresent(outcome -> {
                    json.put("base", outcome.experiment().path("base").asString(""));
                    json.put("task", outcome.experiment().path("task").asString(""));
                });
        ArrayNode rows = json.putArray("methods");
        for (MethodResult result : results) {
            ObjectNode row = rows.addObject().put("method", result.method());
            row.put("scored", result.hasScore());
            if (result.hasScore()) {
                row.put("trainable", result.trainable());
                row.put("trainable_percent", result.trainablePercent());
                row.put("learning_rate", result.learningRate());
                row.put("rate_at_edge", result.isLearningRateAtEdge());
                row.put("seeds", result.outcomes().size());
                row.put("score", result.score());
                put(row, "seed_band", result.seedRange());
                put(row, "interval", result.interval());
                if (frozen != null) {
                    put(row, "above_frozen", result.differenceTo(frozen));
                }
                row.put("step_seconds", result.stepSeconds());
            }
        }
        return Json.pretty(json) + "\n";
    }

    private static void put(ObjectNode row, String name, @Nullable Interval interval) {
        if (interval != null) {
            row.putArray(name).add(interval.low()).add(interval.high());
        }
    }
}
