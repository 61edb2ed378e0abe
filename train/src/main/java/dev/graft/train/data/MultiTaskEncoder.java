package dev.graft.train.data;

import dev.graft.formats.InputException;
import java.util.List;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Encodes rows as another encoder does and adds the task that each row names.
 *
 * @param inner the encoder of the rows
 * @param rows the rows to encode
 * @param tasks the known tasks, in the order of their numbers
 */
public record MultiTaskEncoder(RowEncoder inner, Rows rows, List<String> tasks) implements RowEncoder {
    public MultiTaskEncoder {
        tasks = List.copyOf(tasks);
    }

    /** Returns the tasks that rows name, in alphabetical order; empty if they name none. */
    public static List<String> tasks(Rows rows) {
        TreeSet<String> names = new TreeSet<>();
        for (int row = 0; row < rows.size(); row++) {
            String name = rows.task(row);
            if (name != null) {
                names.add(name);
            }
        }
        return List.copyOf(names);
    }

    private int task(int row) {
        String name = rows.task(row);
        int task = name == null ? -1 : tasks.indexOf(name);
        if (task < 0) {
            throw new InputException(rows.place(row) + ": the row "
                    + (name == null ? "names no task" : "is of the task \"" + name + "\"") + ", the known tasks are "
                    + String.join(", ", tasks));
        }
        return task;
    }

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        return inner.encode(index, row, place, maxLength).withTask(task(index));
    }

    @Override
    public @Nullable List<Example> windows(int index, Row row, String place, int maxLength) {
        List<Example> windows = inner.windows(index, row, place, maxLength);
        if (windows == null) {
            return null;
        }
        int task = task(index);
        return windows.stream().map(window -> window.withTask(task)).toList();
    }

    @Override
    public Example redraw(Example example, long draw) {
        Example drawn = inner.redraw(example, draw);
        return drawn.task() == example.task() ? drawn : drawn.withTask(example.task());
    }

    @Override
    public TrainingObjective objective() {
        return inner.objective();
    }
}
