package dev.graft.peft.methods.bottleneck;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.peft.Initializer;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** A table of numbers in a configuration: untrained vectors that describe tasks or languages. */
final class FixedTensor {
    private FixedTensor() {}

    /** Refuses a table of another size; an empty one is none. */
    static void requireSize(String field, List<List<Double>> table, int rows, int size) {
        boolean whole = table.stream()
                .allMatch(row -> row.size() == size && row.stream().allMatch(Double::isFinite));
        if (!table.isEmpty() && (table.size() != rows || !whole)) {
            throw new InputException(
                    field + " isn't a table of " + rows + " rows with " + size + " finite numbers each, as it must be");
        }
    }

    static Initializer initializer(List<List<Double>> table) {
        return (rng, shape) -> {
            float[] values = new float[Tensors.count(shape)];
            int at = 0;
            for (List<Double> row : table) {
                for (double value : row) {
                    values[at++] = (float) value;
                }
            }
            return Tensors.of(values, shape);
        };
    }

    static void write(ObjectNode c, String field, List<List<Double>> table) {
        ArrayNode rows = c.putArray(field);
        for (List<Double> row : table) {
            ArrayNode array = rows.addArray();
            row.forEach(array::add);
        }
    }

    static List<List<Double>> read(Fields f, String field) {
        List<JsonNode> rows = f.listOrNull(field);
        List<List<Double>> table = new ArrayList<>();
        for (JsonNode row : rows == null ? List.<JsonNode>of() : rows) {
            List<Double> values = new ArrayList<>();
            for (JsonNode value : row) {
                if (!value.isNumber()) {
                    throw f.invalid(field, "a list of lists of numbers");
                }
                values.add(value.doubleValue());
            }
            table.add(values);
        }
        return table;
    }
}
