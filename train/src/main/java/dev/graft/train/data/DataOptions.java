package dev.graft.train.data;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is known about a data set beforehand; the rest is found out.
 *
 * @param columns keys or column names of the file for the names used here, such as {@code text -> review}
 * @param shape null: from the first rows
 * @param labels null: numbers with a fraction are scores, lists are many, everything else is one class
 */
public record DataOptions(
        Map<String, String> columns, @Nullable RowShape shape, Label.@Nullable Kind labels) {

    /** Everything is found out. */
    public static final DataOptions DETECT = new DataOptions(Map.of(), null, null);

    public DataOptions {
        columns = Map.copyOf(columns);
    }
}
