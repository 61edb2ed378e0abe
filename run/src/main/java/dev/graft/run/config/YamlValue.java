package dev.graft.run.config;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** A value of a YAML document with the line it starts on (from 1). */
sealed interface YamlValue {

    int line();

    /** The value in Java: null, Boolean, Long, BigInteger, Double, String, List or Map. */
    @Nullable
    Object resolve();

    /** The number of values in this one, itself included. */
    int size();

    /** The value as an error message shows it. */
    String shown();

    /** A scalar with its text as written; a quoted one is a string whatever it looks like. */
    record Scalar(String text, boolean quoted, int line) implements YamlValue {
        // The core schema of YAML 1.2.2, section 10.3.2: `no` and `on` are strings, 1e-5 is a number.
        private static final Pattern INTEGER = Pattern.compile("[-+]?[0-9]+");
        private static final Pattern OCTAL = Pattern.compile("0o[0-7]+");
        private static final Pattern HEXADECIMAL = Pattern.compile("0x[0-9a-fA-F]+");
        private static final Pattern FLOAT = Pattern.compile("[-+]?(\\.[0-9]+|[0-9]+(\\.[0-9]*)?)([eE][-+]?[0-9]+)?");

        @Override
        public @Nullable Object resolve() {
            if (quoted) {
                return text;
            }
            return switch (text) {
                case "", "~", "null", "Null", "NULL" -> null;
                case "true", "True", "TRUE" -> true;
                case "false", "False", "FALSE" -> false;
                case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF" -> Double.POSITIVE_INFINITY;
                case "-.inf", "-.Inf", "-.INF" -> Double.NEGATIVE_INFINITY;
                case ".nan", ".NaN", ".NAN" -> Double.NaN;
                default -> number();
            };
        }

        private Object number() {
            if (INTEGER.matcher(text).matches()) {
                return smallest(new BigInteger(text));
            } else if (OCTAL.matcher(text).matches()) {
                return smallest(new BigInteger(text.substring(2), 8));
            } else if (HEXADECIMAL.matcher(text).matches()) {
                return smallest(new BigInteger(text.substring(2), 16));
            } else if (FLOAT.matcher(text).matches()) {
                return Double.valueOf(text);
            }
            return text;
        }

        private static Object smallest(BigInteger value) {
            return value.bitLength() < Long.SIZE ? (Object) value.longValue() : value;
        }

        @Override
        public int size() {
            return 1;
        }

        @Override
        public String shown() {
            if (!quoted && text.isEmpty()) {
                return "nothing";
            }
            String start = text.length() > 60 ? text.substring(0, 60) + "…" : text;
            return resolve() instanceof String ? '"' + start.replace("\n", "\\n") + '"' : start;
        }
    }

    record Sequence(List<YamlValue> items, int line, int size) implements YamlValue {
        @Override
        public List<@Nullable Object> resolve() {
            List<@Nullable Object> values = new ArrayList<>();
            items.forEach(item -> values.add(item.resolve()));
            return values;
        }

        @Override
        public String shown() {
            return items.size() == 1 ? "a list with 1 item" : "a list with " + items.size() + " items";
        }
    }

    record Mapping(Map<String, Entry> entries, int line, int size) implements YamlValue {
        record Entry(YamlValue value, int keyLine) {}

        @Override
        public Map<String, @Nullable Object> resolve() {
            Map<String, @Nullable Object> values = new LinkedHashMap<>();
            entries.forEach((key, entry) -> values.put(key, entry.value().resolve()));
            return values;
        }

        @Override
        public String shown() {
            return "a mapping with "
                    + String.join(", ", entries.keySet().stream().limit(5).toList());
        }
    }
}
