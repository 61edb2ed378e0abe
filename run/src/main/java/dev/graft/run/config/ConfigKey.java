package dev.graft.run.config;

import dev.graft.formats.InputException;
import java.lang.reflect.RecordComponent;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** An option with everything that derives from its declaration: type, flag, default and help. */
public record ConfigKey(String name, String topic, ValueType type, ConfigOption declaration) {

    static ConfigKey of(String prefix, String topic, RecordComponent component) {
        String name = component.getName().replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
        return new ConfigKey(
                prefix.isEmpty() ? name : prefix + "." + name,
                topic,
                ValueType.of(component.getGenericType()),
                component.getAnnotation(ConfigOption.class));
    }

    /** Returns the flag of the command line, such as {@code --data.valid-fraction}. */
    public String flag() {
        return "--" + name.replace('_', '-');
    }

    /** The default, or null where the option may stay unset. */
    @Nullable
    Object defaultValue() {
        String text = declaration.byDefault();
        return text.isEmpty() ? null : read(Yaml.inline(name, text), name);
    }

    /** Returns whether it may stay unset. */
    boolean isOptional() {
        return declaration.byDefault().isEmpty() && !declaration.required();
    }

    /** Returns the default in words, for help. */
    public String defaultInWords() {
        return declaration.byDefault().isEmpty() ? declaration.unset() : declaration.byDefault();
    }

    /**
     * The value of this option.
     *
     * @param origin the place of the value, for messages: {@code recipes/x.yaml:3: seed}
     */
    Object read(YamlValue value, String origin) {
        Object read = type.read(value);
        if (read == null || !inRange(read)) {
            String example = declaration.example().isEmpty() ? "" : ", for example " + declaration.example();
            throw new InputException(origin + " is " + value.shown() + ", expected " + expected() + example);
        }
        return read;
    }

    private boolean inRange(Object value) {
        if (value instanceof List<?> list) {
            return (declaration.size() == 0 || list.size() == declaration.size())
                    && list.stream().allMatch(this::inRange);
        }
        double number = value instanceof Number n ? n.doubleValue() : Double.NaN;
        return Double.isNaN(number)
                || number >= declaration.min()
                        && number > declaration.above()
                        && number <= declaration.max()
                        && number < declaration.below();
    }

    private String expected() {
        StringBuilder words = new StringBuilder(type.expected());
        if (Double.isFinite(declaration.min())) {
            words.append(" of at least ").append(plain(declaration.min()));
        }
        if (Double.isFinite(declaration.above())) {
            words.append(" above ").append(plain(declaration.above()));
        }
        boolean both = Double.isFinite(declaration.min()) || Double.isFinite(declaration.above());
        if (Double.isFinite(declaration.max())) {
            words.append(both ? " and" : " of").append(" at most ").append(plain(declaration.max()));
        }
        if (Double.isFinite(declaration.below())) {
            words.append(both ? " and" : "").append(" below ").append(plain(declaration.below()));
        }
        return declaration.size() == 0 ? words.toString() : words + ", " + declaration.size() + " of them";
    }

    private static String plain(double bound) {
        return bound == Math.rint(bound) ? Long.toString((long) bound) : Double.toString(bound);
    }
}
