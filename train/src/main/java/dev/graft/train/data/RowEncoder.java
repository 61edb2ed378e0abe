package dev.graft.train.data;

import dev.graft.formats.InputException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Rows to examples; safe for use by several threads. */
public interface RowEncoder {

    /**
     * @param index the row's number, for {@link Example#row}
     * @param place where the row is, for messages
     * @param maxLength tokens to cut the row to
     * @throws InputException if the row cannot be encoded for this task
     */
    Example encode(int index, Row row, String place, int maxLength);

    /** A row in windows of limited length, where the task reads long texts so; null where a row is one example. */
    default @Nullable List<Example> windows(int index, Row row, String place, int maxLength) {
        return null;
    }

    /**
     * An example as it is used this time, where chance plays a part; else the example itself.
     *
     * @param draw which time: the step of a training, 0 where a model is measured
     */
    default Example drawn(Example example, long draw) {
        return example;
    }

    /** What is learnt from the examples. */
    default Goal goal() {
        return Goal.TARGETS;
    }

    /** What a row of the wrong kind is told. */
    static InputException unfit(Row row, String place, String task, RowShape... shapes) {
        StringBuilder expected = new StringBuilder();
        for (RowShape shape : shapes) {
            expected.append("\n  ").append(shape.sample());
        }
        return new InputException(
                place + ": the rows are " + row.shape().title() + ", but " + task + " needs rows such as" + expected);
    }
}
