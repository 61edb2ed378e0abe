package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.Values.Lazy;
import dev.graft.models.chat.internal.Values.Markup;
import dev.graft.models.chat.internal.Values.Undefined;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What may follow {@code |}. */
final class Filters {

    private static final Pattern WORD_BEGINS = Pattern.compile("[-\\s({\\[<]+", Pattern.UNICODE_CHARACTER_CLASS);

    private Filters() {}

    static @Nullable Object apply(
            @Nullable Object value,
            String name,
            List<@Nullable Object> positional,
            Map<String, @Nullable Object> named) {
        Arguments arguments = new Arguments("the filter " + name, positional, named);
        Object plain = value;
        if (value instanceof Markup markup) {
            if (!List.of("safe", "string", "tojson", "length", "count").contains(name)) {
                throw new TemplateError("the filter " + name
                        + " after 'safe' is not supported; leave 'safe' out, templates of text need none");
            }
            plain = markup.text();
        }
        Object result = SequenceFilters.NAMES.contains(name)
                ? SequenceFilters.apply(plain, name, arguments)
                : single(plain, name, arguments);
        arguments.finish();
        return result;
    }

    private static @Nullable Object single(@Nullable Object value, String name, Arguments a) {
        return switch (name) {
            case "trim" -> PyText.strip(Display.str(value), a.string("chars", null));
            case "upper" -> PyText.upper(Display.str(value));
            case "lower" -> PyText.lower(Display.str(value));
            case "capitalize" -> PyText.capitalize(Display.str(value));
            case "title" -> title(Display.str(value));
            case "string" -> Display.str(value);
            case "safe" -> new Markup(Display.str(value));
            case "replace" ->
                PyText.replace(
                        Display.str(value),
                        Display.str(a.require("old")),
                        Display.str(a.require("new")),
                        count(a.next("count", null)));
            case "format" -> Formats.percent(Display.str(value), a.rest());
            case "indent" -> indent(Display.str(value), a);
            case "default", "d" -> {
                Object fallback = a.next("default_value", "");
                boolean falsy = a.truth("boolean", false);
                yield value instanceof Undefined || (falsy && !Operators.truth(value)) ? fallback : value;
            }
            case "tojson" -> toJson(value, a);
            case "int" -> toInt(value, a);
            case "float" -> {
                Object fallback = a.next("default", 0.0);
                Double number = toFloat(value);
                yield number == null ? fallback : number;
            }
            case "abs" -> {
                Operators.requireDefined(value);
                yield Operators.compare("<", value, 0L) ? Operators.unary("-", value) : Operators.unary("+", value);
            }
            case "round" -> round(value, a);
            default -> throw new TemplateError("the filter '" + name + "' is not supported");
        };
    }

    private static int count(@Nullable Object count) {
        return count == null ? -1 : (int) Sequences.index(count);
    }

    private static String title(String text) {
        StringBuilder out = new StringBuilder();
        Matcher matcher = WORD_BEGINS.matcher(text);
        int at = 0;
        while (at < text.length()) {
            boolean found = matcher.find(at);
            int end = found ? matcher.start() : text.length();
            out.append(word(text.substring(at, end)));
            out.append(found ? matcher.group() : "");
            at = found ? matcher.end() : text.length();
        }
        return out.toString();
    }

    private static String word(String word) {
        if (word.isEmpty()) {
            return word;
        }
        int first = word.offsetByCodePoints(0, 1);
        return PyText.upper(word.substring(0, first)) + PyText.lower(word.substring(first));
    }

    private static String indent(String text, Arguments a) {
        Object width = a.next("width", 4L);
        boolean first = a.truth("first", false);
        boolean blank = a.truth("blank", false);
        String by = width instanceof String given ? given : " ".repeat((int) Math.max(0, Sequences.index(width)));
        List<Object> lines = PyText.splitLines(text + "\n", false);
        StringBuilder out = new StringBuilder(first ? by : "");
        for (int i = 0; i < lines.size(); i++) {
            String line = (String) lines.get(i);
            out.append(i == 0 ? "" : "\n")
                    .append(i > 0 && (blank || !line.isEmpty()) ? by : "")
                    .append(line);
        }
        return out.toString();
    }

    private static String toJson(@Nullable Object value, Arguments a) {
        boolean ascii = a.truth("ensure_ascii", false);
        Object indent = a.next("indent", null);
        Object separators = a.next("separators", null);
        boolean sorted = a.truth("sort_keys", false);
        List<String> pair = null;
        if (separators instanceof List<?> list
                && list.size() == 2
                && list.get(0) instanceof String comma
                && list.get(1) instanceof String colon) {
            pair = List.of(comma, colon);
        } else if (separators != null) {
            throw new TemplateError("the separators of tojson must be two str");
        }
        String by = indent == null
                ? null
                : indent instanceof String text ? text : " ".repeat((int) Math.max(0, Sequences.index(indent)));
        return JsonText.write(value, ascii, by, pair, sorted);
    }

    private static @Nullable Object toInt(@Nullable Object value, Arguments a) {
        Object fallback = a.next("default", 0L);
        long base = a.integer("base", 10);
        if (value instanceof Long || value instanceof BigInteger) {
            return value;
        }
        if (value instanceof Boolean truth) {
            return truth ? 1L : 0L;
        }
        if (value instanceof String text) {
            String digits = PyText.strip(text, null).replaceAll("(?<=\\d)_(?=\\d)", "");
            try {
                if (base < 2 || base > 36) {
                    throw new TemplateError("the base " + base + " of int is not supported");
                }
                return Operators.normal(new BigInteger(digits, (int) base));
            } catch (NumberFormatException e) {
                // as Python: next try it as a float
            }
        }
        Double number = toFloat(value);
        return number == null || number.isNaN() || number.isInfinite()
                ? fallback
                : Operators.normal(new BigDecimal(number).toBigInteger());
    }

    private static @Nullable Double toFloat(@Nullable Object value) {
        if (value != null && Operators.isNumber(value)) {
            return Operators.real(value);
        }
        if (!(value instanceof String text)) {
            Operators.requireDefined(value);
            return null;
        }
        String number = PyText.lower(PyText.strip(text, null)).replaceAll("(?<=\\d)_(?=\\d)", "");
        if (number.matches("[+-]?(\\d+\\.?\\d*|\\.\\d+)(e[+-]?\\d+)?")) {
            return Double.parseDouble(number);
        }
        return switch (number) {
            case "nan", "+nan", "-nan" -> Double.NaN;
            case "inf", "+inf", "infinity", "+infinity" -> Double.POSITIVE_INFINITY;
            case "-inf", "-infinity" -> Double.NEGATIVE_INFINITY;
            default -> null;
        };
    }

    private static @Nullable Object round(@Nullable Object value, Arguments a) {
        Operators.requireDefined(value);
        int precision = (int) a.integer("precision", 0);
        String method = a.string("method", "common");
        if (value == null || !Operators.isNumber(value)) {
            throw new TemplateError("round of a " + Values.type(value));
        }
        if ("common".equals(method)) {
            if (!(value instanceof Double number)) {
                if (precision < 0) {
                    throw new TemplateError("round of an int to tens is not supported");
                }
                return Operators.unary("+", value);
            }
            return number.isNaN() || number.isInfinite()
                    ? number
                    : (Double) new BigDecimal(number)
                            .setScale(precision, RoundingMode.HALF_EVEN)
                            .doubleValue();
        }
        double scale = Math.pow(10, precision);
        double scaled = Operators.real(value) * scale;
        if ("ceil".equals(method)) {
            return Math.ceil(scaled) / scale;
        }
        if ("floor".equals(method)) {
            return Math.floor(scaled) / scale;
        }
        throw new TemplateError("the method of round is common, ceil or floor, not " + method);
    }

    /** A generator: what jinja2's filters that walk a sequence give. */
    static Lazy lazy(List<@Nullable Object> items) {
        return new Lazy(Collections.unmodifiableList(new ArrayList<@Nullable Object>(items)));
    }
}
