package dev.graft.cli.methods;

import dev.graft.formats.Json;
import java.lang.reflect.RecordComponent;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * An option of a method.
 *
 * @param byDefault its value where nothing is given
 * @param fromBase whether the default is another one on another base
 * @param peft PEFT's default, or null where PEFT has none
 * @param type what values it takes, in words
 * @param meaning what it does, from the documentation of the setting that it changes
 */
record Option(
        String name,
        JsonNode byDefault,
        boolean fromBase,
        @Nullable JsonNode peft,
        String type,
        String meaning) {
    String shownDefault() {
        return fromBase ? "by the base" : shown(byDefault);
    }

    /** PEFT's default in words; empty where it is the same. */
    String shownPeftDefault() {
        JsonNode theirs = peft;
        return fromBase || theirs == null || equal(theirs, byDefault) ? "" : shown(theirs);
    }

    private static boolean equal(JsonNode a, JsonNode b) {
        return a.equals(b) || a.isNumber() && b.isNumber() && a.doubleValue() == b.doubleValue();
    }

    private static String shown(JsonNode value) {
        return value.isNull() ? "not set" : Json.compact(value);
    }

    /** The setting in which two records differ, at any depth: its type and what its record says about it. */
    record Setting(Class<?> type, String meaning) {
        static @Nullable Setting between(Object a, Object b) {
            if (!a.getClass().isRecord() || a.getClass() != b.getClass()) {
                return null;
            }
            Map<String, String> documented = SourceDoc.of(a.getClass()).components();
            for (RecordComponent component : a.getClass().getRecordComponents()) {
                Object mine = get(component, a);
                Object theirs = get(component, b);
                if (java.util.Objects.equals(mine, theirs)) {
                    continue;
                }
                Setting inner = mine == null || theirs == null ? null : between(mine, theirs);
                if (inner != null && !inner.meaning.isEmpty()) {
                    return inner;
                }
                return new Setting(
                        inner == null ? single(component.getType()) : inner.type,
                        documented.getOrDefault(component.getName(), ""));
            }
            return null;
        }

        /** The type that all components of a record have, or else the type itself. */
        private static Class<?> single(Class<?> type) {
            List<Class<?>> types = !type.isRecord()
                    ? List.of()
                    : Stream.of(type.getRecordComponents())
                            .<Class<?>>map(RecordComponent::getType)
                            .distinct()
                            .toList();
            return types.size() == 1 ? types.get(0) : type;
        }

        private static @Nullable Object get(RecordComponent component, Object record) {
            try {
                component.getAccessor().setAccessible(true);
                return component.getAccessor().invoke(record);
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    /** What values a field takes: the names that it chooses among, or by its value and the setting that it changes. */
    static String type(JsonNode value, @Nullable Setting setting, List<String> choices) {
        if (!choices.isEmpty()) {
            return choices.stream().map(choice -> choice.toString()).collect(Collectors.joining(" or "));
        }
        Class<?> type = setting == null ? Object.class : setting.type;
        if (value.isBoolean() || type == boolean.class || type == Boolean.class) {
            return "true or false";
        } else if (value.isInt() && type != double.class && type != Double.class
                || type == int.class
                || type == Integer.class) {
            return "integer";
        } else if (value.isNumber() || type == double.class || type == Double.class) {
            return "number";
        } else if (value.isArray() || Collection.class.isAssignableFrom(type)) {
            return "list";
        } else if (value.isObject() || Map.class.isAssignableFrom(type)) {
            return "values by name";
        } else if (type.isEnum()) {
            return Stream.of(type.getEnumConstants())
                    .map(constant -> ((Enum<?>) constant).name().toLowerCase(Locale.ROOT))
                    .collect(Collectors.joining(" or "));
        }
        return "text";
    }
}
