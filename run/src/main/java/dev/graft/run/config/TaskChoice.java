package dev.graft.run.config;

import dev.graft.eval.tasks.TaskType;
import dev.graft.eval.tasks.TaskTypes;
import dev.graft.train.data.RowShape;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A task, or {@code auto}.
 *
 * @param type the task; null for {@code auto}
 */
public record TaskChoice(@Nullable TaskType type) {
    /** The task is detected from the rows. */
    public static final TaskChoice AUTO = new TaskChoice(null);

    static final List<TaskChoice> ALL = Stream.concat(
                    Stream.of(AUTO), TaskTypes.named().stream().map(TaskChoice::new))
            .toList();

    /** Returns the shape that the task forces on files whose keys fit several; null if the keys decide. */
    public @Nullable RowShape shape() {
        return type == null ? null : type.forcedShape();
    }

    /** Returns its name in options. */
    @Override
    public String toString() {
        return type == null ? "auto" : String.valueOf(type.option());
    }
}
