package dev.graft.eval.tasks;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The options of a run that apply to some tasks only.
 *
 * @param given the values by their names in recipes, such as {@code preference.beta}; options that aren't given are absent
 */
public record TaskOptions(Map<String, Object> given) {
    /** The empty options. */
    public static final TaskOptions NONE = new TaskOptions(Map.of());

    public TaskOptions {
        given = Map.copyOf(given);
    }

    /** Returns a number, or {@code absent} where it isn't given. */
    double number(String name, double absent) {
        return given.get(name) instanceof Number number ? number.doubleValue() : absent;
    }

    /** Returns a list of whole numbers; empty where it isn't given. */
    List<Integer> integers(String name) {
        return given.get(name) instanceof List<?> list
                ? list.stream().map(Integer.class::cast).toList()
                : List.of();
    }

    /** Returns a value of a type; null where it isn't given. */
    <T> @Nullable T value(String name, Class<T> type) {
        return type.cast(given.get(name));
    }
}
