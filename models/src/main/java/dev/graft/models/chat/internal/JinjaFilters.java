package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.TemplateValues.Markup;
import dev.graft.models.chat.internal.TemplateValues.Undefined;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The filters: names that may follow {@code |}. */
final class JinjaFilters {

    private static final Pattern WORD_BEGINS = Pattern.compile("[-\\s({\\[<]+", Pattern.UNICODE_CHARACTER_CLASS);

    private JinjaFilters() {}

    static @Nullable Object apply(
            @Nullable Object value,
            String name,
            List<@Nullable Object> positional,
            Map<String, @Nullable Object> named) {
        CallArguments arguments = new CallArguments("the filter " + name, positional, named);
        Object plain = value;
        if (value instanceof Markup markup) {
            if (!List.of("safe", "string", "tojson", "length", "count").contains(name)) {
                throw new TemplateError("the filter " + name
                        + " after 'safe' is not supported; leave 'safe' out, templates of text need none");
            }
            plain = markup.text();
        }
        Object result = SequenceFilters.NAMES.contains(name)
                ? SequenceFilters.apply(plain, name, arguments, JinjaFilters::apply)
                : single(plain, name, arguments);
        arguments.finish();
        return result;
    }

    private static @Nullable Object single(@Nullable Object value, String name, CallArguments a) {
        return switch (name) {
            case "trim" -> PythonString.strip(PythonRepr.str(value), a.string("chars", null));
            case "upper" -> PythonString.upper(PythonRepr.str(value));
            case "lower" -> PythonString.lower(PythonRepr.str(value));
            case "capitalize" -> PythonString.capitalize(PythonRepr.str(value));
            case "title" -> title(PythonRepr.str(value));
            case "string" -> PythonRepr.str(value);
            case "safe" -> new Markup(PythonRepr.str(value));
            case "replace" ->
                PythonString.replace(
                        PythonRepr.str(value),
                        PythonRepr.str(a.require("old")),
                        PythonRepr.str(a.require("new")),
                        count(a.next("count", null)));
            case "format" -> PythonFormat.percent(PythonRepr.str(value), a.rest());
            case "indent" -> indent(PythonRepr.str(value), a);
            case "default", "d" -> {
                Object fallback = a.next("default_value", "");
                boolean falsy = a.truth("boolean", false);
                yield value instanceof Undefined || (falsy && !PythonOperators.truth(value)) ? fallback : value;
            }
            case "tojson" -> toJson(value, a);
            case "int" -> toInt(value, a);
            case "float" -> {
                Object fallback = a.next("default", 0.0);
                Double number = toFloat(value);
                yield number == null ? fallback : number;
            }
            case "abs" -> {
                TemplateValues.requireDefined(value);
                yield PythonOperators.compare("<", value, 0L)
                        ? PythonOperators.unary("-", value)
                        : PythonOperators.unary("+", value);
            }
            case "round" -> round(value, a);
            default -> throw new TemplateError("the filter '" + name + "' is not supported");
        };
    }

    private static int count(@Nullable Object count) {
        return count == null ? -1 : (int) PythonSequences.index(count);
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
        return PythonString.upper(word.substring(0, first)) + PythonString.lower(word.substring(first));
    }

    private static String indent(String text, CallArguments a) {
        Object width = a.next("width", 4L);
        boolean first = a.truth("first", false);
        boolean blank = a.truth("blank", false);
        String by = width instanceof String given ? given : " ".repeat((int) Math.max(0, PythonSequences.index(width)));
        List<Object> lines = PythonString.splitLines(text + "\n", false);
        StringBuilder out = new StringBuilder(first ? by : "");
        for (int i = 0; i < lines.size(); i++) {
            String line = (String) lines.get(i);
            out.append(i == 0 ? "" : "\n")
                    .append(i > 0 && (blank || !line.isEmpty()) ? by : "")
                    .append(line);
        }
        return out.toString();
    }

    private static String toJson(@Nullable Object value, CallArguments a) {
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
                : indent instanceof String text ? text : " ".repeat((int) Math.max(0, PythonSequences.index(indent)));
        return PythonJson.write(value, ascii, by, pair, sorted);
    }

    private static @Nullable Object toInt(@Nullable Object value, CallArguments a) {
        Object fallback = a.next("default", 0L);
        long base = a.integer("base", 10);
        if (value instanceof Long || value instanceof BigInteger) {
            return value;
        }
        if (value instanceof Boolean truth) {
            return truth ? 1L : 0L;
        }
        if (value instanceof String text) {
            String digits = PythonString.strip(text, null).replaceAll("(?<=\\d)_(?=\\d)", "");
            try {
                if (base < 2 || base > 36) {
                    throw new TemplateError("the base " + base + " of int is not supported");
                }
                return TemplateValues.normal(new BigInteger(digits, (int) base));
            } catch (NumberFormatException e) {
                // as Python: next try it as a float
            }
        }
        Double number = toFloat(value);
        return number == null || number.isNaN() || number.isInfinite()
                ? fallback
                : TemplateValues.normal(new BigDecimal(number).toBigInteger());
    }

    private static @Nullable Double toFloat(@Nullable Object value) {
        if (value != null && TemplateValues.isNumber(value)) {
            return PythonOperators.real(value);
        }
        if (!(value instanceof String text)) {
            TemplateValues.requireDefined(value);
            return null;
        }
        String number = PythonString.lower(PythonString.strip(text, null)).replaceAll("(?<=\\d)_(?=\\d)", "");
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

    private static @Nullable Object round(@Nullable Object value, CallArguments a) {
        TemplateValues.requireDefined(value);
        int precision = (int) a.integer("precision", 0);
        String method = a.string("method", "common");
        if (value == null || !TemplateValues.isNumber(value)) {
            throw new TemplateError("round of a " + TemplateValues.type(value));
        }
        if ("common".equals(method)) {
            if (!(value instanceof Double number)) {
                if (precision < 0) {
                    throw new TemplateError("round of an int to tens is not supported");
                }
                return PythonOperators.unary("+", value);
            }
            return number.isNaN() || number.isInfinite()
                    ? number
                    : (Double) new BigDecimal(number)
                            .setScale(precision, RoundingMode.HALF_EVEN)
                            .doubleValue();
        }
        double scale = Math.pow(10, precision);
        double scaled = PythonOperators.real(value) * scale;
        if ("ceil".equals(method)) {
            return Math.ceil(scaled) / scale;
        }
        if ("floor".equals(method)) {
            return Math.floor(scaled) / scale;
        }
        throw new TemplateError("the method of round is common, ceil or floor, not " + method);
    }
}
