package dev.graft.run.config;

import dev.graft.formats.InputException;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import java.lang.reflect.RecordComponent;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The configuration of a comparison of methods.
 *
 * @param own the options of the comparison itself
 * @param run creates the config of the run that trains a method, by its name
 */
public record CompareConfig(CompareOptions own, Function<String, RunConfig> run) {
    /** The word for every method that fits the base. */
    public static final String ALL = "all";

    /** The options of a comparison, beyond those of a run. */
    public record CompareOptions(
            @ConfigOption(
                    value = "Methods to compare, or all that fit the base",
                    byDefault = "all",
                    example = "[lora, ia3]")
            Object methods,

            @ConfigOption(
                    value = "Trainings of each method with the learning rate that was chosen",
                    byDefault = "3",
                    example = "5",
                    min = 1)
            int seeds,

            @ConfigOption(
                    value = "Learning rates that each method tries, as factors of its usual one",
                    byDefault = "[0.3, 1, 3]",
                    example = "[0.1, 0.3, 1, 3]",
                    above = 0)
            List<Double> rates) {}

    static final Map<String, ConfigKey> KEYS = new LinkedHashMap<>();

    static {
        for (RecordComponent component : CompareOptions.class.getRecordComponents()) {
            ConfigKey key = ConfigKey.of("", "Comparison", component);
            KEYS.put(key.name(), key);
        }
    }

    /** Options of a run that mean nothing here. */
    private static final Set<String> OTHERS = Set.of(
            "eval_steps",
            "load_best",
            "early_stopping_patience",
            "overwrite_output_dir",
            "resume",
            "save_steps",
            "save_total_limit",
            "logging_steps",
            "report_to",
            "dry_run",
            "packing",
            "data.dedupe");

    static CompareConfig of(List<@Nullable Object> own, Function<String, RunConfig> run) {
        @SuppressWarnings("unchecked") // read by the type that the component has
        List<Double> rates = (List<Double>) own.get(2);
        Object seeds = own.get(1);
        return new CompareConfig(new CompareOptions(own.get(0), (int) seeds, rates), run);
    }

    static void refuse(GivenOption setting) {
        if (setting.name().equals("method")) {
            throw new InputException(setting.origin() + ": a comparison has methods, such as methods: [lora, ia3]");
        }
        if (OTHERS.contains(setting.name())) {
            throw new InputException(
                    setting.origin() + ": a comparison scores each method once at the end of its training,"
                            + " and goes on where it was interrupted; leave this out");
        }
    }

    /** Returns whether an option belongs to another method. */
    static boolean belongsToAnother(String option, String method) {
        int dot = option.indexOf('.');
        String owner = dot < 0 ? "" : option.substring(0, dot);
        return !owner.equals(method)
                && Methods.all().stream().map(Method.Type::name).anyMatch(owner::equals);
    }

    /** Returns the names of the methods; null for all. */
    public @Nullable List<String> methods() {
        if (own.methods() instanceof List<?> names) {
            return names.stream().map(String::valueOf).distinct().toList();
        }
        String name = own.methods().toString();
        return name.equals(ALL) ? null : List.of(name);
    }
}
