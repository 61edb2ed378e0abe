package dev.graft.run;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import dev.graft.run.config.DataSourceOptions;
import dev.graft.train.data.MultiTaskEncoder;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.Rows;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The tasks that a run's rows name.
 *
 * @param field the field in which rows name their tasks; null if they name none
 * @param names the names in the order of their numbers
 */
record RowTasks(@Nullable String field, List<String> names) {
    /** Those that the training rows name, in alphabetical order. */
    static RowTasks of(DataSourceOptions data, Rows train) {
        String field = data.taskField();
        return new RowTasks(field, field == null ? List.of() : MultiTaskEncoder.tasks(train));
    }

    /** Rejects a task field for a method that supports a single task. */
    static void check(DataSourceOptions data, Method.Type type) {
        if (data.taskField() != null && type.tasksField() == null) {
            throw new InputException("data.task_field is " + data.taskField() + ", but " + type.name()
                    + " knows one task; leave it out, or take one of " + several());
        }
    }

    /** Returns the options of a method with the number of tasks, unless another number is given. */
    Map<String, Object> options(Method.Type type, Map<String, Object> given) {
        String known = type.tasksField();
        if (field == null || known == null || given.containsKey(known)) {
            return given;
        }
        if (known.equals("languages")) {
            throw new InputException(type.name() + " makes its adapters of what is known about each task: give "
                    + type.name() + ".languages, a list of numbers for each of " + String.join(", ", names)
                    + " in this order");
        }
        Map<String, Object> more = new LinkedHashMap<>(given);
        more.put(known, names.size());
        return more;
    }

    private static String several() {
        return Methods.all().stream()
                .filter(type -> type.tasksField() != null)
                .map(Method.Type::name)
                .collect(Collectors.joining(", "));
    }

    /** Rejects an adapter of other tasks. */
    void check(Adapter adapter) {
        String method = adapter.method().type().name();
        if (field == null && adapter.tasks() > 1) {
            throw new InputException(method + " has " + adapter.tasks()
                    + " tasks, so each row must name its own: set data.task_field to the field that does");
        }
        if (names.size() > adapter.tasks()) {
            throw new InputException(method + " has " + adapter.tasks() + " tasks, but the rows name " + names.size()
                    + ": " + String.join(", ", names));
        }
    }

    /** Returns the encoder that turns some rows of the run into examples. */
    RowEncoder encoder(RowEncoder inner, Rows rows) {
        return field == null ? inner : new MultiTaskEncoder(inner, rows, names);
    }
}
