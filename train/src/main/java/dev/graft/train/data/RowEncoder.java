package dev.graft.train.data;

import dev.graft.formats.InputException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Encodes rows as examples of one task. Safe for use by several threads. */
public interface RowEncoder {

    /**
     * Encodes a row.
     *
     * @param index the row's number, for {@link Example#row}
     * @param place the file and line of the row, for messages
     * @param maxLength the number of tokens to cut the row to
     * @throws InputException if the row cannot be encoded for this task
     */
    Example encode(int index, Row row, String place, int maxLength);

    /** Encodes a long row as several windows of limited length; null if a row is always one example of this task. */
    default @Nullable List<Example> windows(int index, Row row, String place, int maxLength) {
        return null;
    }

    /**
     * Returns the example with its random parts drawn, such as masked tokens; the example itself if it has none.
     *
     * @param draw the number of the draw: the training step, or 0 in evaluation
     */
    default Example redraw(Example example, long draw) {
        return example;
    }

    /** Returns the training objective of the examples. */
    default TrainingObjective objective() {
        return TrainingObjective.SUPERVISED;
    }

    /** Returns the error for a row of the wrong kind. */
    static InputException unsupported(Row row, String place, String task, RowShape... shapes) {
        StringBuilder expected = new StringBuilder();
        for (RowShape shape : shapes) {
            expected.append("\n  ").append(shape.sample());
        }
        return new InputException(
                place + ": the rows are " + row.shape().title() + ", but " + task + " needs rows such as" + expected);
    }
}
