package dev.graft.eval.run;

import dev.graft.formats.Fields;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * The options with which a run read its rows, so that other rows are scored the same way.
 *
 * @param columns the columns of the file by the parts of a row; empty if they have the usual names
 * @param lossOn the tokens of a causal row that the loss counts; null for other tasks
 * @param maxLength the maximum length of a row in tokens; null if unknown
 * @param overflow the treatment of longer rows; null for the default
 */
@RecordBuilder
public record DataMetadata(
        Map<String, String> columns,
        @Nullable LossOn lossOn,
        @Nullable Integer maxLength,
        @Nullable Overflow overflow) implements DataMetadataBuilder.With {
    /** The metadata of a folder without any. */
    public static final DataMetadata NONE =
            DataMetadataBuilder.builder().columns(Map.of()).build();

    private static final String FIELD = "rows";
    private static final String COLUMNS = "columns";
    private static final String LOSS_ON = "loss_on";
    private static final String MAX_LENGTH = "max_seq_length";
    private static final String OVERFLOW = "overflow";

    public DataMetadata {
        columns = Map.copyOf(columns);
    }

    /**
     * Returns the maximum length of a row in tokens.
     *
     * @param otherwise the value if it is unknown
     */
    public int maxLength(int otherwise) {
        return maxLength == null ? otherwise : maxLength;
    }

    void write(ObjectNode record) {
        if (equals(NONE)) {
            return;
        }
        ObjectNode json = record.putObject(FIELD);
        if (!columns.isEmpty()) {
            ObjectNode fields = json.putObject(COLUMNS);
            columns.entrySet().stream()
                    .sorted(Map.Entry.comparingByKey())
                    .forEach(column -> fields.put(column.getKey(), column.getValue()));
        }
        if (lossOn != null) {
            json.put(LOSS_ON, name(lossOn));
        }
        if (maxLength != null) {
            json.put(MAX_LENGTH, maxLength);
        }
        if (overflow != null) {
            json.put(OVERFLOW, name(overflow));
        }
    }

    static DataMetadata read(Fields record) {
        Fields fields = record.objectOrNull(FIELD);
        if (fields == null) {
            return NONE;
        }
        Map<String, String> columns = new LinkedHashMap<>();
        Fields mapped = fields.objectOrNull(COLUMNS);
        if (mapped != null) {
            mapped.names().forEach(part -> columns.put(part, mapped.string(part)));
        }
        return new DataMetadata(
                columns,
                one(fields, LOSS_ON, LossOn.values()),
                fields.integerOrNull(MAX_LENGTH, 1, Integer.MAX_VALUE),
                one(fields, OVERFLOW, Overflow.values()));
    }

    private static <E extends Enum<E>> @Nullable E one(Fields fields, String field, E[] values) {
        String given = fields.stringOrNull(field);
        if (given == null) {
            return null;
        }
        for (E value : values) {
            if (name(value).equals(given)) {
                return value;
            }
        }
        StringBuilder names = new StringBuilder();
        for (E value : values) {
            names.append(names.isEmpty() ? "" : ", ").append(name(value));
        }
        throw fields.invalid(field, "one of " + names);
    }

    private static String name(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
