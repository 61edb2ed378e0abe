package dev.graft.run.config;

import dev.graft.run.config.YamlValue.Scalar;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Writes values as YAML on one line, strings quoted only where they must be. */
final class YamlText {
    private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_./][A-Za-z0-9_./+=@~-]*(:[A-Za-z0-9_./+=@~-]+)*");

    private YamlText() {}

    static String inline(@Nullable Object value) {
        if (value instanceof List<?> list) {
            return "[" + String.join(", ", list.stream().map(YamlText::inline).toList()) + "]";
        } else if (value instanceof Map<?, ?> map) {
            return "{"
                    + String.join(
                            ", ",
                            map.entrySet().stream()
                                    .map(e -> text(String.valueOf(e.getKey())) + ": " + inline(e.getValue()))
                                    .toList())
                    + "}";
        } else if (value instanceof String text) {
            return text(text);
        } else if (value instanceof Double number) {
            return number(number);
        }
        return String.valueOf(value);
    }

    private static String number(double number) {
        if (Double.isNaN(number)) {
            return ".nan";
        } else if (Double.isInfinite(number)) {
            return number > 0 ? ".inf" : "-.inf";
        }
        return Double.toString(number).replace("E", "e");
    }

    private static String text(String text) {
        return PLAIN.matcher(text).matches() && new Scalar(text, false, 0).resolve() instanceof String
                ? text
                : quoted(text);
    }

    private static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        text.chars().forEach(c -> {
            switch (c) {
                case '"' -> quoted.append("\\\"");
                case '\\' -> quoted.append("\\\\");
                case '\n' -> quoted.append("\\n");
                case '\t' -> quoted.append("\\t");
                default -> {
                    if (c < ' ' || c >= 0x7f && c <= 0xa0 || c == 0x2028 || c == 0x2029 || c == 0xfeff || c >= 0xfffe) {
                        quoted.append(String.format("\\u%04x", c));
                    } else {
                        quoted.append((char) c);
                    }
                }
            }
        });
        return quoted.append('"').toString();
    }
}
