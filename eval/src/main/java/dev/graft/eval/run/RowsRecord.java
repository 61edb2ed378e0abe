package dev.graft.eval.run;

import dev.graft.formats.Fields;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * How a run read its rows, so that others are scored as its own were.
 *
 * @param columns fields of the file by the parts of a row; empty where they have the usual names
 * @param lossOn the tokens of a causal row that count; null where that isn't a question
 * @param maxLength the longest row in tokens; null where nobody says
 * @param overflow what becomes of longer rows; null for what is usual
 */
public record RowsRecord(
        Map<String, String> columns,
        @Nullable LossOn lossOn,
        @Nullable Integer maxLength,
        @Nullable Overflow overflow) {
    /** Of a folder that says nothing. */
    public static final RowsRecord NONE = new RowsRecord(Map.of(), null, null, null);

    private static final String FIELD = "rows";
    private static final String COLUMNS = "columns";
    private static final String LOSS_ON = "loss_on";
    private static final String MAX_LENGTH = "max_seq_length";
    private static final String OVERFLOW = "overflow";

    public RowsRecord {
        columns = Map.copyOf(columns);
    }

    /** The longest row in tokens. */
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

    static RowsRecord read(Fields record) {
        Fields fields = record.objectOrNull(FIELD);
        if (fields == null) {
            return NONE;
        }
        Map<String, String> columns = new LinkedHashMap<>();
        Fields mapped = fields.objectOrNull(COLUMNS);
        if (mapped != null) {
            mapped.names().forEach(part -> columns.put(part, mapped.string(part)));
        }
        return new RowsRecord(
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
        throw fields.wrong(field, "one of " + names);
    }

    private static String name(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
