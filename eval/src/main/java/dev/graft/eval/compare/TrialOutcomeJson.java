package dev.graft.eval.compare;

import dev.graft.formats.Fields;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Figures in the files of outcomes. */
final class TrialOutcomeJson {
    private TrialOutcomeJson() {}

    static void writeMetrics(ObjectNode json, Map<String, Double> metrics) {
        metrics.forEach((name, value) -> {
            if (Double.isFinite(value)) {
                json.put(name, value);
            } else {
                json.putNull(name);
            }
        });
    }

    static void writeNumbers(ArrayNode array, List<Double> numbers) {
        numbers.forEach(number -> {
            if (number == Math.rint(number)) {
                array.add(number.longValue());
            } else {
                array.add(Float.parseFloat(String.format(Locale.ROOT, "%.6g", number)));
            }
        });
    }

    static Map<String, Double> readMetrics(Fields json) {
        Map<String, Double> metrics = new LinkedHashMap<>();
        for (String name : json.names()) {
            Double value = json.numberOrNull(name);
            metrics.put(name, value == null ? Double.NaN : value);
        }
        return metrics;
    }

    static List<Double> readNumbers(Fields json, String name) {
        return json.list(name).stream().map(JsonNode::doubleValue).toList();
    }
}
