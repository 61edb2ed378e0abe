package dev.graft.formats;

import dev.graft.formats.internal.NameHint;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Strict access to the fields of a JSON object, for configuration files. A field of the wrong type or out of range is refused with its name, its
 * value and the expectation ({@code adapter_config.json: r is "8", expected an integer of at least 1}); {@link #unread} finds the fields that
 * nobody read, so none is ignored by accident. A field that is {@code null} counts as absent only for the methods ending in {@code OrNull}. Not
 * safe for several threads.
 *
 * <pre>{@code
 * Fields config = Fields.read(folder.resolve("adapter_config.json"));
 * int rank = config.integer("r", 8, 1);
 * double alpha = config.number("lora_alpha", 8);
 * List<String> targets = config.strings("target_modules");
 * config.rejectUnread("Remove it, or use a version that knows it.");
 * }</pre>
 */
public final class Fields {

    private final String source;
    private final String prefix;
    private final JsonNode object;
    private final Set<String> asked = new LinkedHashSet<>();
    private final Map<String, Fields> children = new LinkedHashMap<>();

    private Fields(String source, String prefix, JsonNode object) {
        this.source = source;
        this.prefix = prefix;
        this.object = object;
    }

    /** Reads a file that holds one JSON object; see {@link Json}. */
    public static Fields read(Path file) {
        return of(file.toString(), Json.read(file));
    }

    /** Wraps the fields of an object; {@code source} names the file in messages. */
    public static Fields of(String source, JsonNode object) {
        if (!object.isObject()) {
            throw new FormatException(source, "holds " + shown(object) + ", expected a JSON object", null);
        }
        return new Fields(source, "", object);
    }

    /** The file, as it appears in messages. */
    public String source() {
        return source;
    }

    /** All field names in the order of the file. */
    public Set<String> names() {
        return new LinkedHashSet<>(object.propertyNames());
    }

    /** Returns whether the field exists, even as {@code null}. Does not count as reading it. */
    public boolean has(String name) {
        return object.has(name);
    }

    /** Returns the value as it is, {@code null} where the field is absent; a JSON null is a node. */
    public @Nullable JsonNode node(String name) {
        asked.add(name);
        return object.get(name);
    }

    /** Returns a copy of the whole object for changes, which counts as read. */
    public ObjectNode copy() {
        asked.addAll(names());
        return (ObjectNode) object.deepCopy();
    }

    /**
     * A required integer.
     *
     * @throws FieldException if it is absent or no integer
     */
    public int integer(String name) {
        return integer(name, required(name, "an integer"), Integer.MIN_VALUE, Integer.MAX_VALUE);
    }

    public int integer(String name, int absent) {
        return integer(name, absent, Integer.MIN_VALUE);
    }

    public int integer(String name, int absent, int min) {
        return integer(name, absent, min, Integer.MAX_VALUE);
    }

    public int integer(String name, int absent, int min, int max) {
        JsonNode value = node(name);
        return value == null ? absent : integer(name, value, min, max);
    }

    public @Nullable Integer integerOrNull(String name) {
        return integerOrNull(name, Integer.MIN_VALUE, Integer.MAX_VALUE);
    }

    public @Nullable Integer integerOrNull(String name, int min, int max) {
        JsonNode value = present(name);
        return value == null ? null : (Integer) integer(name, value, min, max);
    }

    /**
     * A required number; integers count.
     *
     * @throws FieldException if it is absent or no number
     */
    public double number(String name) {
        return number(name, required(name, "a number"), Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY);
    }

    public double number(String name, double absent) {
        return number(name, absent, Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY);
    }

    /** A number in {@code [min, max]}. */
    public double number(String name, double absent, double min, double max) {
        JsonNode value = node(name);
        return value == null ? absent : number(name, value, min, max);
    }

    public @Nullable Double numberOrNull(String name) {
        JsonNode value = present(name);
        return value == null ? null : (Double) number(name, value, Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY);
    }

    /** A required boolean. */
    public boolean bool(String name) {
        return bool(name, required(name, "true or false"));
    }

    public boolean bool(String name, boolean absent) {
        JsonNode value = node(name);
        return value == null ? absent : bool(name, value);
    }

    public @Nullable Boolean boolOrNull(String name) {
        JsonNode value = present(name);
        return value == null ? null : (Boolean) bool(name, value);
    }

    /** A required string. */
    public String string(String name) {
        return string(name, required(name, "a string"));
    }

    public String string(String name, String absent) {
        JsonNode value = node(name);
        return value == null ? absent : string(name, value);
    }

    public @Nullable String stringOrNull(String name) {
        JsonNode value = present(name);
        return value == null ? null : string(name, value);
    }

    /** A string that must be one of these. */
    public String choice(String name, String absent, String... allowed) {
        JsonNode value = node(name);
        if (value == null) {
            return absent;
        }
        if (!value.isString() || !Arrays.asList(allowed).contains(value.stringValue())) {
            if (allowed.length == 1) {
                throw invalid(name, value, "\"" + allowed[0] + "\"", allowed);
            }
            String hint = value.isString() ? NameHint.hint(value.stringValue(), Arrays.asList(allowed)) : "";
            throw invalid(name, value, "one of \"" + String.join("\", \"", allowed) + "\"" + hint, allowed);
        }
        return value.stringValue();
    }

    /** A required array of strings. */
    public List<String> strings(String name) {
        return strings(name, required(name, "an array of strings"));
    }

    public List<String> strings(String name, List<String> absent) {
        JsonNode value = node(name);
        return value == null ? absent : strings(name, value);
    }

    public @Nullable List<String> stringsOrNull(String name) {
        JsonNode value = present(name);
        return value == null ? null : strings(name, value);
    }

    public @Nullable List<Integer> integersOrNull(String name) {
        JsonNode value = present(name);
        if (value == null) {
            return null;
        }
        List<Integer> result = new ArrayList<>();
        for (JsonNode element : array(name, value, "an array of integers")) {
            if (!element.isInt()) {
                throw invalid(name, value, "an array of integers");
            }
            result.add(element.intValue());
        }
        return List.copyOf(result);
    }

    /** A required array of anything. */
    public List<JsonNode> list(String name) {
        return array(name, required(name, "an array"), "an array");
    }

    public @Nullable List<JsonNode> listOrNull(String name) {
        JsonNode value = present(name);
        return value == null ? null : array(name, value, "an array");
    }

    /** A required object. Its unread fields count as unread fields of this one. */
    public Fields object(String name) {
        return object(name, required(name, "an object"));
    }

    public @Nullable Fields objectOrNull(String name) {
        JsonNode value = present(name);
        return value == null ? null : object(name, value);
    }

    /**
     * Returns the fields of an object inside this one, such as an element of an array. They don't count as fields of this one.
     *
     * @param place its path, such as {@code messages[0]}
     */
    public Fields nested(String place, JsonNode value) {
        if (!value.isObject()) {
            throw invalid(place, value, "an object");
        }
        return new Fields(source, prefix + place + ".", value);
    }

    /** Counts purely informative fields as read, for example {@code transformers_version}. */
    public void ignore(String... names) {
        asked.addAll(Arrays.asList(names));
    }

    /** Counts fields with the value {@code null} as read, for files whose writers mark unused fields that way. */
    public void ignoreNulls() {
        for (String name : object.propertyNames()) {
            if (object.path(name).isNull()) {
                asked.add(name);
            }
        }
        children.values().forEach(Fields::ignoreNulls);
    }

    /**
     * Returns the fields that nobody read, in the order of the file; those of nested objects as {@code parent.child}.
     */
    public List<String> unread() {
        List<String> result = new ArrayList<>();
        for (String name : object.propertyNames()) {
            Fields child = children.get(name);
            if (!asked.contains(name)) {
                result.add(prefix + name);
            } else if (child != null) {
                result.addAll(child.unread());
            }
        }
        return result;
    }

    /**
     * Refuses fields that nobody read.
     *
     * @param whatToDo a sentence for the end of the message
     * @throws FormatException if there is an unread field
     */
    public void rejectUnread(String whatToDo) {
        for (Fields child : children.values()) {
            child.rejectUnread(whatToDo);
        }
        for (String name : unread()) {
            Set<String> candidates = new LinkedHashSet<>(asked);
            candidates.removeAll(object.propertyNames());
            String hint = NameHint.hint(name.substring(prefix.length()), candidates);
            throw new FieldException(
                    source, name, "unknown field \"" + name + "\"" + (hint.isEmpty() ? "." : hint) + " " + whatToDo);
        }
    }

    /**
     * Creates an error about a field: {@code <file>: <name> is <value>, expected <what>}.
     *
     * @param choices the allowed names, if there are any
     */
    public FieldException invalid(String name, String expected, String... choices) {
        JsonNode value = object.get(name);
        return value == null ? missing(name, expected) : invalid(name, value, expected, choices);
    }

    private FieldException invalid(String name, JsonNode value, String expected, String[] choices) {
        String place = prefix + name;
        return new FieldException(source, place, place + " is " + shown(value) + ", expected " + expected, choices);
    }

    /**
     * Creates an error about a value inside a field.
     *
     * @param place its path, such as {@code input[3]}
     */
    public FieldException invalid(String place, JsonNode value, String expected) {
        return error(place, "is " + shown(value) + ", expected " + expected);
    }

    /** Creates an error about a field: {@code <file>: <name> <why>}. */
    public FieldException error(String name, String why) {
        return new FieldException(source, prefix + name, prefix + name + " " + why);
    }

    /** Creates an error about the whole object: {@code <file>: <its place> <why>}. */
    public FormatException error(String why) {
        if (prefix.isEmpty()) {
            return new FormatException(source, why, null);
        }
        String place = prefix.substring(0, prefix.length() - 1);
        return new FieldException(source, place, place + " " + why);
    }

    private FieldException missing(String name, String expected) {
        return error(name, "is missing, expected " + expected);
    }

    private JsonNode required(String name, String expected) {
        JsonNode value = node(name);
        if (value == null) {
            throw missing(name, expected);
        }
        return value;
    }

    private @Nullable JsonNode present(String name) {
        JsonNode value = node(name);
        return value == null || value.isNull() ? null : value;
    }

    private int integer(String name, JsonNode value, int min, int max) {
        if (!value.isInt() || value.intValue() < min || value.intValue() > max) {
            throw invalid(name, value, min == max ? String.valueOf(min) : "an integer" + range(min, max));
        }
        return value.intValue();
    }

    private static String range(int min, int max) {
        if (min == Integer.MIN_VALUE) {
            return max == Integer.MAX_VALUE ? "" : " of at most " + max;
        }
        return max == Integer.MAX_VALUE ? " of at least " + min : " from " + min + " to " + max;
    }

    private double number(String name, JsonNode value, double min, double max) {
        double number = value.isNumber() ? value.doubleValue() : Double.NaN;
        if (!Double.isFinite(number) || number < min || number > max) {
            String range = min == Double.NEGATIVE_INFINITY
                    ? max == Double.POSITIVE_INFINITY ? "" : " of at most " + plain(max)
                    : max == Double.POSITIVE_INFINITY
                            ? " of at least " + plain(min)
                            : " from " + plain(min) + " to " + plain(max);
            throw invalid(name, value, "a number" + range);
        }
        return number;
    }

    /** Returns a bound as text, a whole number without {@code .0}. */
    private static String plain(double bound) {
        return bound == Math.rint(bound) && Math.abs(bound) < 1e15
                ? String.valueOf((long) bound)
                : String.valueOf(bound);
    }

    private boolean bool(String name, JsonNode value) {
        if (!value.isBoolean()) {
            throw invalid(name, value, "true or false");
        }
        return value.booleanValue();
    }

    private String string(String name, JsonNode value) {
        if (!value.isString()) {
            throw invalid(name, value, "a string");
        }
        return value.stringValue();
    }

    private List<String> strings(String name, JsonNode value) {
        List<String> result = new ArrayList<>();
        for (JsonNode element : array(name, value, "an array of strings")) {
            if (!element.isString()) {
                throw invalid(name, value, "an array of strings");
            }
            result.add(element.stringValue());
        }
        return List.copyOf(result);
    }

    private List<JsonNode> array(String name, JsonNode value, String expected) {
        if (!value.isArray()) {
            throw invalid(name, value, expected);
        }
        return List.copyOf(value.values());
    }

    private Fields object(String name, JsonNode value) {
        if (!value.isObject()) {
            throw invalid(name, value, "an object");
        }
        return children.computeIfAbsent(name, n -> new Fields(source, prefix + n + ".", value));
    }

    private static String shown(JsonNode value) {
        if (value.isDouble() && !Double.isFinite(value.doubleValue())) {
            return String.valueOf(value.doubleValue());
        }
        String text = value.isContainer() && value.size() > 20
                ? (value.isArray() ? "an array of " : "an object of ") + value.size()
                : Json.compact(value);
        return text.length() <= 80 ? text : text.substring(0, 77) + "...";
    }
}
