package dev.graft.run.methods;

import java.lang.reflect.RecordComponent;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** The setting in which two records differ, at any depth: its type and what its record says about it. */
record ChangedSetting(Class<?> type, String meaning) {
    static @Nullable ChangedSetting between(Object a, Object b) {
        if (!a.getClass().isRecord() || a.getClass() != b.getClass()) {
            return null;
        }
        Map<String, String> documented = RecordJavadoc.of(a.getClass()).components();
        for (RecordComponent component : a.getClass().getRecordComponents()) {
            Object mine = get(component, a);
            Object theirs = get(component, b);
            if (Objects.equals(mine, theirs)) {
                continue;
            }
            ChangedSetting inner = mine == null || theirs == null ? null : between(mine, theirs);
            if (inner != null && !inner.meaning.isEmpty()) {
                return inner;
            }
            return new ChangedSetting(
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

    /**
     * The values that a field accepts: the names of its choices, or else the type of its value and of the setting that
     * it changes.
     */
    static String type(JsonNode value, @Nullable ChangedSetting setting, List<String> choices) {
        if (!choices.isEmpty()) {
            return choices.stream().map(choice -> choice.toString()).collect(Collectors.joining(" or "));
        }
        Class<?> type = setting == null ? Object.class : setting.type();
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
