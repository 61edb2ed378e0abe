package dev.graft.eval.cost;

import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A value read from the machine, with its unit and source.
 *
 * @param value a number, a text or a list of texts; null if it could not be read
 * @param unit {@code bytes}, {@code seconds}, {@code joules}; empty for a value without a unit
 * @param source where the value was read, or {@code unavailable: } and the reason
 */
public record Measurement<T>(@Nullable T value, String unit, String source) {

    static <T> Measurement<T> unavailable(String unit, String reason) {
        return new Measurement<>(null, unit, "unavailable: " + reason);
    }

    public boolean available() {
        return value != null;
    }

    /** Returns {@code {"value": 123, "unit": "bytes", "source": "..."}}; the value may be null. */
    public ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.set("value", valueJson());
        json.put("unit", unit);
        json.put("source", source);
        return json;
    }

    private JsonNode valueJson() {
        JsonNodeFactory nodes = JsonNodeFactory.instance;
        if (value == null) {
            return nodes.nullNode();
        }
        if (value instanceof Long number) {
            return nodes.numberNode(number.longValue());
        }
        if (value instanceof Integer number) {
            return nodes.numberNode(number.intValue());
        }
        if (value instanceof Double number) {
            return nodes.numberNode(number.doubleValue());
        }
        if (value instanceof List<?> list) {
            ArrayNode array = nodes.arrayNode();
            list.forEach(element -> array.add(element.toString()));
            return array;
        }
        return nodes.stringNode(value.toString());
    }
}
