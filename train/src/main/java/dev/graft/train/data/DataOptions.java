package dev.graft.train.data;

import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Options for reading a data set; everything that isn't given is detected.
 *
 * @param columns the file's keys or column names by the names used here, such as {@code text -> review}
 * @param shape the form of the rows; null to detect it from the first rows
 * @param labels the kind of labels; null to detect it: numbers with a fraction are scores, lists are many classes, everything else is one
 *     class
 * @param taskField the key or column under which each row names its task; null where rows are of one task
 * @param isPromptOnly true if the rows are prompts to answer, so that answers may be missing
 */
@RecordBuilder
public record DataOptions(
        Map<String, String> columns,
        @Nullable RowShape shape,
        Label.@Nullable Kind labels,
        @Nullable String taskField,
        boolean isPromptOnly)
        implements DataOptionsBuilder.With {

    /** Everything is detected. */
    public static final DataOptions DETECT =
            DataOptionsBuilder.builder().columns(Map.of()).build();

    public DataOptions {
        columns = Map.copyOf(columns);
    }

    /**
     * Creates options for rows of a known shape.
     *
     * @param columns the columns by the part of a row that each holds; empty if they have the shape's names
     */
    public static DataOptions of(RowShape shape, Map<String, String> columns) {
        return DETECT.with().columns(columns).shape(shape).build();
    }

    /** Creates options for rows with labels of a kind; null to detect it. */
    public static DataOptions labelled(Label.@Nullable Kind kind) {
        return DETECT.withLabels(kind);
    }

    /**
     * Creates options for prompts to answer.
     *
     * @param columns the columns by the part of a row that each holds
     */
    public static DataOptions promptOnly(Map<String, String> columns) {
        return DETECT.with().columns(columns).isPromptOnly(true).build();
    }
}
