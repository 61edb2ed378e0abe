package dev.graft.run;

import dev.graft.eval.tasks.TaskOptions;
import dev.graft.eval.tasks.TaskType;
import dev.graft.eval.tasks.TaskTypes;
import dev.graft.formats.InputException;
import dev.graft.models.Task;
import dev.graft.run.config.ConfigKeys;
import dev.graft.run.config.RunConfig;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.RowShape;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The options of a config that apply to some tasks only. */
record RunTaskOptions(RunConfig config) {
    /** Returns the options that are given, by the names that recipes have for them. */
    TaskOptions options() {
        Map<String, Object> given = new LinkedHashMap<>();
        given.putAll(ConfigKeys.given("preference", config.preference()));
        given.putAll(ConfigKeys.given("embedding", config.embedding()));
        double smoothing = config.optimisation().labelSmoothing();
        put(given, "label_smoothing", smoothing > 0 ? smoothing : null);
        put(given, "stride", config.goal().stride());
        put(given, "mask_share", config.goal().maskShare());
        LossOn lossOn = config.goal().lossOn();
        put(given, "loss_on", lossOn == LossOn.COMPLETION ? null : lossOn);
        put(given, "packing", config.schedule().packing() ? Boolean.TRUE : null);
        put(given, "batch_size", config.schedule().batchSize());
        return new TaskOptions(given);
    }

    private static void put(Map<String, Object> options, String name, @Nullable Object value) {
        if (value != null) {
            options.put(name, value);
        }
    }

    /**
     * Rejects options that don't apply to a task.
     *
     * @param shape the shape of the rows; null if the config names the task
     */
    void requireKnown(TaskType type, @Nullable RowShape shape) {
        options().given().forEach((name, value) -> {
            if (!type.options().contains(name) && !name.equals("batch_size")) {
                throw new InputException(unknown(name, value, type, shape));
            }
        });
    }

    private static String unknown(String name, Object value, TaskType type, @Nullable RowShape shape) {
        return switch (name) {
            case "stride" ->
                "stride is " + value + ", but only texts that questions are on are read in windows; leave it out";
            case "mask_share" ->
                "mask_share is " + value + ", but nothing is masked; set task to mask, or leave it out";
            case "loss_on" ->
                "loss_on is " + lower(value)
                        + (type.head() == Task.CAUSAL_LM
                                ? ", but preferences are about the last answer; leave it out"
                                : ", but a classifier has one answer a row; loss_on belongs to causal models,"
                                        + " leave it out");
            case "packing" -> "packing is true, but only rows of causal models can be packed; leave it out";
            case "label_smoothing" -> "label_smoothing has no meaning for task " + type.option() + "; leave it out";
            default ->
                name + " has no meaning "
                        + (shape == null ? "for task " + type.option() : "where the rows are " + shape.title())
                        + "; set " + owners(name) + ", or leave it out";
        };
    }

    /** The tasks that know an option, with the keys of their rows. */
    private static String owners(String option) {
        List<String> advice = new ArrayList<>();
        for (TaskType type : TaskTypes.named()) {
            if (type.options().contains(option)) {
                advice.add("task=" + type.option() + " (rows with "
                        + type.shapes().stream()
                                .map(shape -> String.join(", ", shape.keys()))
                                .collect(Collectors.joining("; or "))
                        + ")");
            }
        }
        return String.join(" or ", advice);
    }

    private static String lower(Object value) {
        return value.toString().toLowerCase(Locale.ROOT);
    }
}
