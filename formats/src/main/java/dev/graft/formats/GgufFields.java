package dev.graft.formats;

import dev.graft.formats.internal.NameHint;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The typed key-value pairs of a GGUF file, in its order. Integers of every width are longs (a u64 beyond 2⁶³-1 is a {@code BigInteger}), f32 and
 * f64 are floats and doubles, arrays are {@code long[]}, {@code float[]}, {@code double[]}, {@code boolean[]} or {@code List<String>}. A typed
 * accessor refuses a value of another type.
 *
 * <pre>{@code
 * GgufFields fields = gguf.fields();
 * long layers = fields.integer("llama.block_count");
 * List<String> tokens = fields.strings("tokenizer.ggml.tokens");
 * }</pre>
 */
public final class GgufFields {

    private final String source;
    private final Map<String, Object> values;

    GgufFields(String source, Map<String, Object> values) {
        this.source = source;
        this.values = values;
    }

    /** All keys, in the order of the file. */
    public Set<String> keys() {
        return Collections.unmodifiableSet(values.keySet());
    }

    public boolean has(String key) {
        return values.containsKey(key);
    }

    /** The value as described above, {@code null} where the key is absent. */
    public @Nullable Object value(String key) {
        return values.get(key);
    }

    public long integer(String key) {
        return get(key, Long.class, "an integer");
    }

    public long integer(String key, long absent) {
        return has(key) ? integer(key) : absent;
    }

    /** An f32, f64 or integer value. */
    public double number(String key) {
        return get(key, Number.class, "a number").doubleValue();
    }

    public double number(String key, double absent) {
        return has(key) ? number(key) : absent;
    }

    public boolean bool(String key, boolean absent) {
        return has(key) ? get(key, Boolean.class, "a bool") : absent;
    }

    public String string(String key) {
        return get(key, String.class, "a string");
    }

    public String string(String key, String absent) {
        return has(key) ? string(key) : absent;
    }

    public List<String> strings(String key) {
        List<String> result = new ArrayList<>();
        for (Object element : get(key, List.class, "an array of strings")) {
            result.add((String) element);
        }
        return Collections.unmodifiableList(result);
    }

    public long[] integers(String key) {
        return get(key, long[].class, "an array of integers").clone();
    }

    /** An array of f32. */
    public float[] floats(String key) {
        return get(key, float[].class, "an array of f32").clone();
    }

    /** Returns the values as text; arrays only as their length, for example {@code [49152]}. */
    Map<String, String> asText() {
        Map<String, String> text = new LinkedHashMap<>();
        values.forEach((key, value) -> text.put(key, text(value)));
        return Collections.unmodifiableMap(text);
    }

    private static String text(Object value) {
        if (value instanceof List<?> list) {
            return "[" + list.size() + "]";
        }
        return value.getClass().isArray() ? "[" + java.lang.reflect.Array.getLength(value) + "]" : value.toString();
    }

    private <T> T get(String key, Class<T> type, String expected) {
        Object value = values.get(key);
        if (value == null) {
            throw new FormatException(
                    source, "has no key " + key + ", expected " + expected + NameHint.hint(key, values.keySet()), null);
        }
        if (!type.isInstance(value)) {
            throw new FormatException(source, key + " is " + text(value) + ", expected " + expected, null);
        }
        return type.cast(value);
    }
}
