package dev.graft.models.chat.internal;

import dev.graft.formats.Json;
import dev.graft.models.chat.internal.TemplateValues.Lazy;
import dev.graft.models.chat.internal.TemplateValues.Markup;
import dev.graft.models.chat.internal.TemplateValues.Range;
import java.math.BigInteger;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Python's {@code json.dumps}. */
final class PythonJson {

    private final boolean ascii;
    private final @Nullable String indent;
    private final String comma;
    private final String colon;
    private final boolean sorted;
    private final StringBuilder out = new StringBuilder();

    private PythonJson(boolean ascii, @Nullable String indent, String comma, String colon, boolean sorted) {
        this.ascii = ascii;
        this.indent = indent;
        this.comma = comma;
        this.colon = colon;
        this.sorted = sorted;
    }

    /**
     * @param separators item and key separators; null for Python's defaults, which omit the space after a comma when
     *     indented
     */
    static String write(
            @Nullable Object value,
            boolean ascii,
            @Nullable String indent,
            @Nullable List<String> separators,
            boolean sorted) {
        String comma = separators == null ? (indent == null ? ", " : ",") : separators.get(0);
        String colon = separators == null ? ": " : separators.get(1);
        PythonJson json = new PythonJson(ascii, indent, comma, colon, sorted);
        json.value(value, 0);
        return json.out.toString();
    }

    private void value(@Nullable Object value, int depth) {
        if (depth > 500) {
            throw new TemplateError("tojson of a value that is nested deeper than 500");
        }
        if (value == null) {
            out.append("null");
        } else if (value instanceof Boolean || value instanceof Long || value instanceof BigInteger) {
            out.append(value);
        } else if (value instanceof Double number) {
            out.append(
                    number.isNaN()
                            ? "NaN"
                            : number.isInfinite()
                                    ? (number > 0 ? "Infinity" : "-Infinity")
                                    : PythonRepr.number(number));
        } else if (value instanceof String text) {
            out.append(Json.quoted(text, ascii));
        } else if (value instanceof Markup markup) {
            out.append(Json.quoted(markup.text(), ascii));
        } else if (value instanceof List<?> list && !(value instanceof Range)) {
            list(list, depth);
        } else if (value instanceof Map<?, ?> map) {
            map(map, depth);
        } else if (value instanceof TemplateValues.Undefined || value instanceof Lazy) {
            throw new TemplateError("an object of type " + TemplateValues.type(value) + " is not JSON serializable");
        } else {
            throw new TemplateError("a " + TemplateValues.type(value) + " is not JSON serializable");
        }
    }

    private void list(List<?> list, int depth) {
        if (list.isEmpty()) {
            out.append("[]");
            return;
        }
        out.append('[');
        for (int i = 0; i < list.size(); i++) {
            out.append(i == 0 ? "" : comma);
            newLine(depth + 1);
            value(list.get(i), depth + 1);
        }
        newLine(depth);
        out.append(']');
    }

    private void map(Map<?, ?> map, int depth) {
        if (map.isEmpty()) {
            out.append("{}");
            return;
        }
        out.append('{');
        Map<?, ?> entries = map;
        if (sorted) {
            Map<Object, @Nullable Object> ordered = new TreeMap<>((a, b) -> PythonOperators.order("<", a, b));
            map.forEach(ordered::put);
            entries = ordered;
        }
        Iterator<? extends Map.Entry<?, ?>> iterator = entries.entrySet().iterator();
        boolean first = true;
        while (iterator.hasNext()) {
            Map.Entry<?, ?> entry = iterator.next();
            out.append(first ? "" : comma);
            first = false;
            newLine(depth + 1);
            key(entry.getKey());
            out.append(colon);
            value(entry.getValue(), depth + 1);
        }
        newLine(depth);
        out.append('}');
    }

    private void key(@Nullable Object key) {
        if (key instanceof String text) {
            out.append(Json.quoted(text, ascii));
        } else if (key == null || TemplateValues.isNumber(key)) {
            out.append('"');
            value(key, 0);
            out.append('"');
        } else {
            throw new TemplateError("the key of a JSON object is a " + TemplateValues.type(key));
        }
    }

    private void newLine(int depth) {
        if (indent != null) {
            out.append('\n').append(indent.repeat(depth));
        }
    }
}
