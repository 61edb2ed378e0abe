package dev.graft.cli.tasks;

import dev.graft.cli.terminal.Table;
import dev.graft.eval.tasks.TaskType;
import dev.graft.eval.tasks.TaskTypes;
import dev.graft.formats.InputException;
import dev.graft.run.config.ConfigKey;
import dev.graft.run.config.ConfigKeys;
import dev.graft.train.data.RowShape;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Collectors;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The tables and pages of {@code graft tasks}. */
final class TaskPages {
    private TaskPages() {}

    static TaskType named(String name) {
        return TaskTypes.named(name)
                .orElseThrow(() -> new InputException("task is \"" + name + "\", expected one of "
                        + TaskTypes.named().stream().map(TaskPages::option).collect(Collectors.joining(", "))));
    }

    private static String option(TaskType task) {
        return Objects.requireNonNull(task.option());
    }

    private static String head(TaskType task) {
        return task.head().name();
    }

    static String table(List<TaskType> tasks) {
        Table table = new Table("task", "model", "rows");
        for (TaskType task : tasks) {
            table.row(
                    option(task),
                    head(task),
                    task.shapes().stream().map(RowShape::title).collect(Collectors.joining("; ")));
        }
        return table + "\n`graft tasks NAME` shows the rows and options of a task.\n";
    }

    static String page(TaskType task) {
        StringBuilder page = new StringBuilder("task: ").append(option(task));
        page.append("\nmodel: ").append(head(task)).append("\n\nrows:\n");
        task.shapes().forEach(shape -> page.append("  ").append(shape.sample()).append('\n'));
        Table options = new Table("option", "default", "meaning");
        options.row(
                "learning_rate",
                String.format(Locale.ROOT, "%.0e", task.defaults().learningRate()),
                "LoRA's; other methods scale it");
        options.row("batch_size", task.defaults().batchSize(), "Rows of a step");
        for (ConfigKey key : options(task)) {
            options.row(key.name(), key.defaultInWords(), key.declaration().value());
        }
        return page.append('\n').append(options).toString();
    }

    private static List<ConfigKey> options(TaskType task) {
        return ConfigKeys.RUN.values().stream()
                .filter(key -> task.options().contains(key.name()))
                .toList();
    }

    static String json(List<TaskType> tasks) {
        ObjectNode result = JsonNodeFactory.instance.objectNode();
        ArrayNode all = result.putArray("tasks");
        for (TaskType task : tasks) {
            ObjectNode one = all.addObject();
            one.put("task", option(task));
            one.put("model", head(task));
            ArrayNode rows = one.putArray("rows");
            for (RowShape shape : task.shapes()) {
                ObjectNode row = rows.addObject();
                row.put("title", shape.title());
                shape.keys().forEach(row.putArray("keys")::add);
                row.put("sample", shape.sample());
            }
            one.put("learning_rate", task.defaults().learningRate());
            one.put("batch_size", task.defaults().batchSize());
            ArrayNode options = one.putArray("options");
            options(task).forEach(key -> options.add(key.name()));
        }
        return result.toPrettyString();
    }
}
