package dev.graft.models.chat.internal;

import java.math.BigInteger;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Values of a template: null is None; Boolean, Long, BigInteger, Double, String, List and Map are Python's bool, int, float, str, list and
 * dict; the others are here.
 */
public final class TemplateValues {

    private TemplateValues() {}

    /** The value of a name, key or index that does not exist. It prints as an empty text; any other use is an error. */
    record Undefined(String what) {
        TemplateError error() {
            return new TemplateError(what);
        }
    }

    /** Text that {@code safe} marked: joined with other text by {@code +}, jinja2 would escape that text as HTML. */
    record Markup(String text) {}

    /** {@code namespace(...)}: the one thing whose attributes a template may set. */
    record Namespace(Map<String, @Nullable Object> attributes) {}

    /** {@code loop} inside a loop. */
    record Loop(Map<String, @Nullable Object> attributes) {}

    /** A value that can be called. */
    interface Callable {
        @Nullable
        Object call(List<@Nullable Object> positional, Map<String, @Nullable Object> named);
    }

    /** A method of a value, or a macro; messages contain its name. */
    record Function(String name, Callable body) {}

    static final class Tuple extends AbstractList<@Nullable Object> {
        private final List<@Nullable Object> items;

        Tuple(List<? extends @Nullable Object> items) {
            this.items = Collections.unmodifiableList(new ArrayList<@Nullable Object>(items));
        }

        @Override
        public @Nullable Object get(int index) {
            return items.get(index);
        }

        @Override
        public int size() {
            return items.size();
        }
    }

    /** {@code range(from, to, step)}. */
    static final class Range extends AbstractList<@Nullable Object> {
        final long from;
        final long to;
        final long step;
        private final int size;

        Range(long from, long to, long step, int size) {
            this.from = from;
            this.to = to;
            this.step = step;
            this.size = size;
        }

        @Override
        public Object get(int index) {
            if (index < 0 || index >= size) {
                throw new IndexOutOfBoundsException(index);
            }
            return from + index * step;
        }

        @Override
        public int size() {
            return size;
        }
    }

    /** {@code dict.keys()} and similar views. They can be iterated again and counted, but not indexed. */
    record View(String kind, List<@Nullable Object> items) {}

    /**
     * The result of {@code map}, {@code select} and similar filters. It can be iterated once, but not counted or
     * indexed.
     */
    static final class Lazy {
        private List<@Nullable Object> items;

        Lazy(List<@Nullable Object> items) {
            this.items = Collections.unmodifiableList(new ArrayList<@Nullable Object>(items));
        }

        List<@Nullable Object> take() {
            List<@Nullable Object> taken = items;
            items = List.of();
            return taken;
        }
    }

    /** Converts a value from Java or Jackson. */
    public static @Nullable Object of(@Nullable Object value) {
        if (value == null
                || value instanceof Boolean
                || value instanceof Long
                || value instanceof Double
                || value instanceof String) {
            return value;
        }
        if (value instanceof JsonNode node) {
            return json(node);
        }
        if (value instanceof Integer || value instanceof Short || value instanceof Byte) {
            return ((Number) value).longValue();
        }
        if (value instanceof BigInteger big) {
            return normal(big);
        }
        if (value instanceof Float number) {
            return (double) number;
        }
        if (value instanceof Map<?, ?> map) {
            Map<@Nullable Object, @Nullable Object> copy = new LinkedHashMap<>();
            map.forEach((key, item) -> copy.put(of(key), of(item)));
            return copy;
        }
        if (value instanceof Collection<?> items) {
            List<@Nullable Object> copy = new ArrayList<>();
            items.forEach(item -> copy.add(of(item)));
            return copy;
        }
        throw new IllegalArgumentException("a template cannot use a "
                + value.getClass().getName() + "; give strings, numbers, booleans, null, lists, maps or JSON");
    }

    private static @Nullable Object json(JsonNode node) {
        if (node.isObject()) {
            Map<@Nullable Object, @Nullable Object> map = new LinkedHashMap<>();
            node.properties().forEach(field -> map.put(field.getKey(), json(field.getValue())));
            return map;
        }
        if (node.isArray()) {
            List<@Nullable Object> list = new ArrayList<>();
            node.forEach(item -> list.add(json(item)));
            return list;
        }
        if (node.isNull() || node.isMissingNode()) {
            return null;
        }
        if (node.isBoolean()) {
            return node.booleanValue();
        }
        if (node.isIntegralNumber()) {
            return normal(node.bigIntegerValue());
        }
        if (node.isNumber()) {
            return node.doubleValue();
        }
        return node.asString();
    }

    /** Returns a Long if the number fits, else the BigInteger. */
    static Object normal(BigInteger value) {
        if (value.bitLength() < 64) {
            return value.longValue();
        }
        return value;
    }

    static boolean isNumber(@Nullable Object value) {
        return value instanceof Boolean
                || value instanceof Long
                || value instanceof Double
                || value instanceof BigInteger;
    }

    static void requireDefined(@Nullable Object value) {
        if (value instanceof Undefined undefined) {
            throw undefined.error();
        }
    }

    /** Python's name of the type, for messages. */
    static String type(@Nullable Object value) {
        if (value == null) {
            return "None";
        }
        if (value instanceof Boolean) {
            return "bool";
        }
        if (value instanceof Long || value instanceof BigInteger) {
            return "int";
        }
        if (value instanceof Double) {
            return "float";
        }
        if (value instanceof String) {
            return "str";
        }
        if (value instanceof Tuple) {
            return "tuple";
        }
        if (value instanceof List) {
            return value instanceof Range ? "range" : "list";
        }
        if (value instanceof Map) {
            return "dict";
        }
        if (value instanceof View view) {
            return view.kind();
        }
        if (value instanceof Lazy) {
            return "generator";
        }
        if (value instanceof Function function) {
            return "function " + function.name();
        }
        return value.getClass().getSimpleName();
    }
}
