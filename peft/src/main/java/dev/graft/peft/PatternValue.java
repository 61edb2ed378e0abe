package dev.graft.peft;

import dev.graft.formats.Fields;
import dev.graft.peft.internal.PythonRegex;
import java.util.LinkedHashMap;
import java.util.Map;
import tools.jackson.databind.node.ObjectNode;

/**
 * A setting with other values for some modules: PEFT's {@code r} and {@code rank_pattern}, {@code alpha} and {@code alpha_pattern}, and similar
 * pairs.
 *
 * @param value the value if no pattern matches
 * @param pattern values for modules whose name ends with a key (a regular expression); the first match counts
 */
public record PatternValue<T extends Number>(T value, Map<String, T> pattern) {
    /** Creates a value that is equal for all modules. */
    public static <T extends Number> PatternValue<T> of(T value) {
        return new PatternValue<>(value, Map.of());
    }

    /** Returns the value at a module. */
    public T at(String module) {
        for (Map.Entry<String, T> entry : pattern.entrySet()) {
            if (PythonRegex.match("the pattern for some modules", "(.*\\.)?(" + entry.getKey() + ")$", module)) {
                return entry.getValue();
            }
        }
        return value;
    }

    /** Reads integers of at least {@code min}. */
    public static PatternValue<Integer> readIntegers(
            Fields config, String field, int absent, int min, String patternField) {
        Map<String, Integer> pattern = new LinkedHashMap<>();
        Fields given = config.objectOrNull(patternField);
        if (given != null) {
            given.names().forEach(key -> pattern.put(key, given.integer(key, min, min)));
        }
        return new PatternValue<>(config.integer(field, absent, min), pattern);
    }

    /** Reads numbers. */
    public static PatternValue<Double> readNumbers(Fields config, String field, double absent, String patternField) {
        Map<String, Double> pattern = new LinkedHashMap<>();
        Fields given = config.objectOrNull(patternField);
        if (given != null) {
            given.names().forEach(key -> pattern.put(key, given.number(key)));
        }
        return new PatternValue<>(config.number(field, absent), pattern);
    }

    /** Writes both fields. */
    public void write(ObjectNode config, String field, String patternField) {
        put(config, field, value);
        ObjectNode written = config.putObject(patternField);
        pattern.forEach((key, special) -> put(written, key, special));
    }

    /** Writes a number as PEFT does: an integer without a decimal point. */
    public static void put(ObjectNode config, String field, Number number) {
        double value = number.doubleValue();
        if (value == Math.rint(value) && Math.abs(value) < 1e9) {
            config.put(field, (int) value);
        } else {
            config.put(field, value);
        }
    }
}
