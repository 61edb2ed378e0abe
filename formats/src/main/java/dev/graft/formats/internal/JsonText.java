package dev.graft.formats.internal;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** JSON text as Python's {@code json.dumps} writes it: ASCII only, shortest numbers. */
public final class JsonText {

    /** The order by code point, as in Python and UTF-8; {@link String#compareTo} differs beyond U+FFFF. */
    public static final Comparator<String> BY_CODE_POINT =
            (a, b) -> Arrays.compare(a.codePoints().toArray(), b.codePoints().toArray());

    private final StringBuilder out = new StringBuilder();
    private final boolean pretty;

    private JsonText(boolean pretty) {
        this.pretty = pretty;
    }

    public static String pretty(JsonNode value) {
        JsonText text = new JsonText(true);
        text.value(value, 0);
        return text.out.toString();
    }

    public static String compact(JsonNode value) {
        JsonText text = new JsonText(false);
        text.value(value, 0);
        return text.out.toString();
    }

    private void value(JsonNode value, int depth) {
        if (value.isObject()) {
            List<String> names = new ArrayList<>(value.propertyNames());
            if (pretty) {
                names.sort(BY_CODE_POINT);
            }
            out.append('{');
            for (int i = 0; i < names.size(); i++) {
                separate(i, depth + 1);
                string(out, names.get(i), true);
                out.append(pretty ? ": " : ":");
                value(value.get(names.get(i)), depth + 1);
            }
            close('}', names.size(), depth);
        } else if (value.isArray()) {
            out.append('[');
            for (int i = 0; i < value.size(); i++) {
                separate(i, depth + 1);
                value(value.get(i), depth + 1);
            }
            close(']', value.size(), depth);
        } else if (value.isString()) {
            string(out, value.stringValue(), true);
        } else if (value.isFloatingPointNumber()) {
            out.append(value.isFloat() ? number(value.floatValue()) : number(value.doubleValue()));
        } else if (value.isNumber() || value.isBoolean() || value.isNull()) {
            out.append(value.asString(value.isNull() ? "null" : ""));
        } else {
            throw new IllegalArgumentException("JSON has no " + value.getNodeType());
        }
    }

    private void separate(int index, int depth) {
        if (index > 0) {
            out.append(',');
        }
        if (pretty) {
            out.append('\n').append("  ".repeat(depth));
        }
    }

    private void close(char bracket, int size, int depth) {
        if (pretty && size > 0) {
            out.append('\n').append("  ".repeat(depth));
        }
        out.append(bracket);
    }

    /** Appends a quoted string; characters beyond ASCII are escaped only if {@code ascii} is true. */
    public static void string(StringBuilder out, String text, boolean ascii) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                default -> {
                    if (c < 0x20 || ascii && c > 0x7e) {
                        out.append(String.format("\\u%04x", (int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }

    /** Returns the shortest decimal that parses to the same double, in the form of Python's {@code repr}. */
    public static String number(double value) {
        if (!Double.isFinite(value)) {
            throw new IllegalArgumentException("JSON has no " + value);
        }
        if (value == 0) {
            return 1 / value < 0 ? "-0.0" : "0.0";
        }
        BigDecimal exact = new BigDecimal(value);
        for (int digits = Math.abs(value) < Double.MIN_NORMAL ? 1 : 15; ; digits++) {
            // Just above a power of two doubles lie wider apart than below, so the nearest decimal may miss and the
            // next one up hit.
            for (RoundingMode mode : new RoundingMode[] {RoundingMode.HALF_EVEN, RoundingMode.UP}) {
                BigDecimal rounded = exact.round(new MathContext(digits, mode));
                if (rounded.doubleValue() == value) {
                    return layOut(rounded.stripTrailingZeros());
                }
            }
        }
    }

    private static String number(float value) {
        return Float.isFinite(value) ? number(Double.parseDouble(Float.toString(value))) : number((double) value);
    }

    private static String layOut(BigDecimal decimal) {
        int exponent = decimal.precision() - decimal.scale() - 1;
        if (exponent >= -4 && exponent < 16) {
            String plain = decimal.toPlainString();
            return plain.contains(".") ? plain : plain + ".0";
        }
        String digits = decimal.unscaledValue().abs().toString();
        String mantissa = digits.length() == 1 ? digits : digits.charAt(0) + "." + digits.substring(1);
        return (decimal.signum() < 0 ? "-" : "") + mantissa + "e" + (exponent < 0 ? "-" : "+")
                + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
    }
}
