package dev.graft.cli.train;

import dev.graft.cli.config.Data;
import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.Rows;
import dev.graft.train.data.TaskEncoder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The tasks that a run's rows name.
 *
 * @param field under which they name them; null where they name none
 * @param names in the order of their numbers
 */
record RowTasks(@Nullable String field, List<String> names) {
    /** Those that the training rows name, in alphabetical order. */
    static RowTasks of(Data data, Rows train) {
        String field = data.taskField();
        return new RowTasks(field, field == null ? List.of() : TaskEncoder.tasks(train));
    }

    /** Refuses a field of tasks beside a method that knows one. */
    static void check(Data data, Method.Type type) {
        if (data.taskField() != null && type.tasksField() == null) {
            throw new InputException("data.task_field is " + data.taskField() + ", but " + type.name()
                    + " knows one task; leave it out, or take one of " + several());
        }
    }

    /** The options of a method with as many tasks as there are, where nobody says another number. */
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

    /** Refuses an adapter of other tasks. */
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

    /** What makes examples of some rows of the run. */
    RowEncoder encoder(RowEncoder inner, Rows rows) {
        return field == null ? inner : new TaskEncoder(inner, rows, names);
    }
}
