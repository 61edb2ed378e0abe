package dev.graft.models.chat.internal;

import dev.graft.formats.Json;
import dev.graft.models.chat.internal.TemplateValues.Function;
import dev.graft.models.chat.internal.TemplateValues.Lazy;
import dev.graft.models.chat.internal.TemplateValues.Markup;
import dev.graft.models.chat.internal.TemplateValues.Namespace;
import dev.graft.models.chat.internal.TemplateValues.Range;
import dev.graft.models.chat.internal.TemplateValues.Tuple;
import dev.graft.models.chat.internal.TemplateValues.Undefined;
import dev.graft.models.chat.internal.TemplateValues.View;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;

/** Python's {@code str(value)} and {@code repr(value)}. */
final class PythonRepr {

    private PythonRepr() {}

    static String str(@Nullable Object value) {
        if (value instanceof String text) {
            return text;
        }
        if (value instanceof Markup markup) {
            return markup.text();
        }
        if (value instanceof Undefined) {
            return "";
        }
        return repr(value);
    }

    static String repr(@Nullable Object value) {
        if (value == null) {
            return "None";
        }
        if (value instanceof String text) {
            return quoted(text);
        }
        if (value instanceof Boolean truth) {
            return truth ? "True" : "False";
        }
        if (value instanceof Double number) {
            return number(number);
        }
        if (value instanceof Undefined) {
            return "Undefined";
        }
        if (value instanceof Range range) {
            return "range(" + range.from + ", " + range.to + (range.step == 1 ? ")" : ", " + range.step + ")");
        }
        if (value instanceof Tuple tuple) {
            return tuple.size() == 1 ? "(" + repr(tuple.get(0)) + ",)" : joined(tuple, "(", ")");
        }
        if (value instanceof List<?> list) {
            return joined(list, "[", "]");
        }
        if (value instanceof Map<?, ?> map) {
            StringJoiner joiner = new StringJoiner(", ", "{", "}");
            map.forEach((key, item) -> joiner.add(repr(key) + ": " + repr(item)));
            return joiner.toString();
        }
        if (value instanceof View view) {
            return view.kind() + "(" + joined(view.items(), "[", "]") + ")";
        }
        if (value instanceof Lazy
                || value instanceof Function
                || value instanceof Namespace
                || value instanceof Markup) {
            throw new TemplateError(
                    "a " + TemplateValues.type(value) + " is printed; its text in Python is not meant for reading");
        }
        return value.toString();
    }

    static String number(double number) {
        if (Double.isNaN(number)) {
            return "nan";
        }
        if (Double.isInfinite(number)) {
            return number > 0 ? "inf" : "-inf";
        }
        return Json.compact(JsonNodeFactory.instance.numberNode(number));
    }

    private static String joined(List<?> items, String open, String close) {
        StringJoiner joiner = new StringJoiner(", ", open, close);
        items.forEach(item -> joiner.add(repr(item)));
        return joiner.toString();
    }

    private static String quoted(String text) {
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        StringBuilder out = new StringBuilder().append(quote);
        text.codePoints().forEach(c -> {
            switch (c) {
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\\' -> out.append("\\\\");
                default -> {
                    if (c == quote) {
                        out.append('\\').append(quote);
                    } else if (isPrintable(c)) {
                        out.appendCodePoint(c);
                    } else {
                        out.append(
                                c < 0x100
                                        ? "\\x%02x".formatted(c)
                                        : c < 0x10000 ? "\\u%04x".formatted(c) : "\\U%08x".formatted(c));
                    }
                }
            }
        });
        return out.append(quote).toString();
    }

    private static boolean isPrintable(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            case Character.SPACE_SEPARATOR -> c == ' ';
            default -> true;
        };
    }
}
