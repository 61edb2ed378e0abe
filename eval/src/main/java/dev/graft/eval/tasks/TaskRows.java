package dev.graft.eval.tasks;

import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.TrainingObjective;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The facts about a data set that decide how a task is trained on it.
 *
 * @param shape the shape of its rows
 * @param kind the kind of its labels; null for generation tasks
 * @param labels the classes, or the numbers of the choices; empty for generation and regression
 * @param objective the training objective
 * @param hasUnanswerable true if questions may have no answer
 */
public record TaskRows(
        RowShape shape,
        Label.@Nullable Kind kind,
        Labels labels,
        TrainingObjective objective,
        boolean hasUnanswerable) {
    /** No classes. */
    static final Labels NO_LABELS = Labels.ofNames(List.of());
}
