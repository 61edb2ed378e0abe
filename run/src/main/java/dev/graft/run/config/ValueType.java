package dev.graft.run.config;

import dev.graft.run.config.YamlValue.Mapping;
import dev.graft.run.config.YamlValue.Scalar;
import dev.graft.run.config.YamlValue.Sequence;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A type of option values: reads, describes and writes them. */
public sealed interface ValueType {

    /** The value in Java, or null where this isn't one. */
    @Nullable
    Object read(YamlValue value);

    /** The expectation in error messages: {@code "a whole number"}. */
    String expected();

    /** The placeholder of the value in the help: {@code INT}. */
    String paramLabel();

    /** The value as YAML. */
    default String write(Object value) {
        return YamlText.inline(value);
    }

    static ValueType of(Type type) {
        if (type == int.class || type == Integer.class) {
            return new WholeNumber(false);
        } else if (type == long.class || type == Long.class) {
            return new WholeNumber(true);
        } else if (type == double.class || type == Double.class) {
            return new RealNumber();
        } else if (type == boolean.class || type == Boolean.class) {
            return new TrueOrFalse();
        } else if (type == String.class) {
            return new Text();
        } else if (type == Duration.class) {
            return new Time();
        } else if (type == MemorySize.class) {
            return new Size();
        } else if (type == Object.class) {
            return new Texts();
        } else if (type == QuantizationChoice.class) {
            return new Choice(QuantizationChoice.ALL);
        } else if (type == TaskChoice.class) {
            return new Choice(TaskChoice.ALL);
        } else if (type instanceof Class<?> enumeration && enumeration.isEnum()) {
            return new Choice(Arrays.asList(enumeration.getEnumConstants()));
        } else if (type instanceof ParameterizedType map && map.getRawType() == Map.class) {
            return new Options();
        } else if (type instanceof ParameterizedType list && list.getRawType() == List.class) {
            return new ListOf(of(list.getActualTypeArguments()[0]));
        }
        throw new IllegalArgumentException("no option can have the type " + type);
    }

    record WholeNumber(boolean wide) implements ValueType {
        @Override
        public @Nullable Object read(YamlValue value) {
            Object resolved = value instanceof Scalar ? value.resolve() : null;
            if (resolved instanceof Double d && d == Math.rint(d) && Math.abs(d) < 1e15) {
                resolved = d.longValue();
            }
            if (!(resolved instanceof Long whole)) {
                return null;
            }
            return wide ? whole : whole == whole.intValue() ? (Object) whole.intValue() : null;
        }

        @Override
        public String expected() {
            return "a whole number";
        }

        @Override
        public String paramLabel() {
            return "INT";
        }
    }

    record RealNumber() implements ValueType {
        @Override
        public @Nullable Object read(YamlValue value) {
            Object resolved = value instanceof Scalar ? value.resolve() : null;
            return resolved instanceof Number number && Double.isFinite(number.doubleValue())
                    ? (Object) number.doubleValue()
                    : null;
        }

        @Override
        public String expected() {
            return "a number";
        }

        @Override
        public String paramLabel() {
            return "NUM";
        }
    }

    record TrueOrFalse() implements ValueType {
        @Override
        public @Nullable Object read(YamlValue value) {
            return value instanceof Scalar && value.resolve() instanceof Boolean flag ? flag : null;
        }

        @Override
        public String expected() {
            return "true or false";
        }

        @Override
        public String paramLabel() {
            return "BOOL";
        }
    }

    /** Any scalar but null and the empty text, by its text: {@code output_dir: 2024} is the folder {@code 2024}. */
    record Text() implements ValueType {
        @Override
        public @Nullable Object read(YamlValue value) {
            return value instanceof Scalar scalar
                            && scalar.resolve() != null
                            && !scalar.text().isBlank()
                    ? scalar.text()
                    : null;
        }

        @Override
        public String expected() {
            return "a text";
        }

        @Override
        public String paramLabel() {
            return "TEXT";
        }
    }

    /** A text or a list of texts, such as {@code all-linear}, a regular expression, or {@code [q_proj, v_proj]}. */
    record Texts() implements ValueType {
        private static final ValueType TEXT = new Text();

        @Override
        public @Nullable Object read(YamlValue value) {
            if (value instanceof Sequence) {
                return new ListOf(TEXT).read(value);
            }
            Object text = TEXT.read(value);
            // A comma is no part of a module's name, but may be one of a regular expression: a{1,2}.
            return text instanceof String names && names.matches("[\\w.-]+(\\s*,\\s*[\\w.-]+)+")
                    ? List.of(names.split("\\s*,\\s*"))
                    : text;
        }

        @Override
        public String expected() {
            return "a text or a list of texts";
        }

        @Override
        public String paramLabel() {
            return "NAMES";
        }
    }

    /** Seconds, or a number with a unit: {@code 90s}, {@code 30m}, {@code 1.5h}, {@code 1d}. */
    record Time() implements ValueType {
        private static final Pattern TIME = Pattern.compile("(\\d{1,9}(?:\\.\\d{1,3})?)\\s*([smhd]?)");

        @Override
        public @Nullable Object read(YamlValue value) {
            if (!(value instanceof Scalar scalar)) {
                return null;
            }
            Matcher matcher = TIME.matcher(scalar.text().strip());
            if (!matcher.matches()) {
                return null;
            }
            int seconds = switch (matcher.group(2)) {
                case "m" -> 60;
                case "h" -> 3600;
                case "d" -> 86400;
                default -> 1;
            };
            Duration time = Duration.ofMillis(Math.round(Double.parseDouble(matcher.group(1)) * seconds * 1000));
            return time.isZero() ? null : time;
        }

        @Override
        public String expected() {
            return "a time above 0 in seconds or as 90s, 30m, 2h";
        }

        @Override
        public String paramLabel() {
            return "TIME";
        }

        @Override
        public String write(Object value) {
            long millis = ((Duration) value).toMillis();
            return millis % 1000 == 0 ? millis / 1000 + "s" : millis / 1000.0 + "s";
        }
    }

    /** Bytes, or a number with a unit: {@code 700m}, {@code 1.5g}. */
    record Size() implements ValueType {
        @Override
        public @Nullable Object read(YamlValue value) {
            return value instanceof Scalar scalar ? MemorySize.of(scalar.text()) : null;
        }

        @Override
        public String expected() {
            return "a size of memory as 700m or 2g";
        }

        @Override
        public String paramLabel() {
            return "SIZE";
        }

        @Override
        public String write(Object value) {
            return value.toString();
        }
    }

    /** One of a few constants, written in lower case; dashes are read as underscores. */
    record Choice(List<?> constants) implements ValueType {
        List<String> names() {
            return constants.stream().map(Choice::name).toList();
        }

        @Override
        public @Nullable Object read(YamlValue value) {
            return value instanceof Scalar scalar
                    ? constants.stream()
                            .filter(constant ->
                                    name(constant).equals(scalar.text().replace('-', '_')))
                            .findFirst()
                            .orElse(null)
                    : null;
        }

        @Override
        public String expected() {
            return "one of " + String.join(", ", names());
        }

        @Override
        public String paramLabel() {
            String names = String.join("|", names());
            return names.length() > 50 ? "NAME" : names;
        }

        @Override
        public String write(Object value) {
            return name(value);
        }

        private static String name(Object constant) {
            return constant.toString().toLowerCase(Locale.ROOT);
        }
    }

    /** A list, or on the command line its elements with commas between. */
    record ListOf(ValueType element) implements ValueType {
        @Override
        public @Nullable Object read(YamlValue value) {
            if (value instanceof Mapping) {
                return null;
            }
            List<YamlValue> items = value instanceof Sequence sequence
                    ? sequence.items()
                    : Stream.of(((Scalar) value).text().split(",", -1))
                            .<YamlValue>map(item -> new Scalar(item.strip(), ((Scalar) value).quoted(), value.line()))
                            .toList();
            List<Object> read = new ArrayList<>();
            for (YamlValue item : items) {
                Object one = element.read(item);
                if (one == null) {
                    return null;
                }
                read.add(one);
            }
            return List.copyOf(read);
        }

        @Override
        public String expected() {
            return "a list, each " + element.expected();
        }

        @Override
        public String paramLabel() {
            return element.paramLabel() + ",…";
        }

        @Override
        public String write(Object value) {
            return "["
                    + String.join(
                            ", ", ((List<?>) value).stream().map(element::write).toList()) + "]";
        }
    }

    /** Options by name, passed on unchanged. */
    record Options() implements ValueType {
        @Override
        public @Nullable Object read(YamlValue value) {
            if (!(value instanceof Mapping mapping)) {
                return null;
            }
            Map<String, @Nullable Object> options = mapping.resolve();
            return options.containsValue(null) ? null : Map.copyOf(options);
        }

        @Override
        public String expected() {
            return "a mapping of options to values";
        }

        @Override
        public String paramLabel() {
            return "{NAME: VALUE}";
        }
    }
}
