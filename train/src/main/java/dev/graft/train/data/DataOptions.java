package dev.graft.train.data;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is known about a data set beforehand; the rest is found out.
 *
 * @param columns keys or column names of the file for the names used here, such as {@code text -> review}
 * @param shape null: from the first rows
 * @param labels null: numbers with a fraction are scores, lists are many, everything else is one class
 * @param taskField the key or column under which each row names its task; null where rows are of one task
 * @param isAsked whether the rows are to be answered: their own answers may be missing
 */
public record DataOptions(
        Map<String, String> columns,
        @Nullable RowShape shape,
        Label.@Nullable Kind labels,
        @Nullable String taskField,
        boolean isAsked) {

    /** Everything is found out. */
    public static final DataOptions DETECT = new DataOptions(Map.of(), null, null);

    public DataOptions {
        columns = Map.copyOf(columns);
    }

    /**
     * Rows of a known shape.
     *
     * @param columns by the part of a row that each is; empty where they have the shape's names
     */
    public static DataOptions of(RowShape shape, Map<String, String> columns) {
        return new DataOptions(columns, shape, null);
    }

    /** Rows with labels of a kind; null for that which they seem to have. */
    public static DataOptions labelled(Label.@Nullable Kind kind) {
        return new DataOptions(Map.of(), null, kind);
    }

    /** For rows of one task. */
    public DataOptions(Map<String, String> columns, @Nullable RowShape shape, Label.@Nullable Kind labels) {
        this(columns, shape, labels, null);
    }

    /** For rows that have answers. */
    public DataOptions(
            Map<String, String> columns,
            @Nullable RowShape shape,
            Label.@Nullable Kind labels,
            @Nullable String taskField) {
        this(columns, shape, labels, taskField, false);
    }

    /** Rows to be answered, by the part of a row that each column is. */
    public static DataOptions asked(Map<String, String> columns) {
        return new DataOptions(columns, null, null, null, true);
    }

    /** The same for rows that name their tasks under a key; null for none. */
    public DataOptions withTaskField(@Nullable String key) {
        return new DataOptions(columns, shape, labels, key, isAsked);
    }

    /** The same for more rows of a data set that is open already. */
    public DataOptions like(Dataset data) {
        return new DataOptions(columns, data.shape(), data.labelKind(), taskField, isAsked);
    }
}
