package dev.graft.run.logits;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.models.Base;
import dev.graft.models.forward.Inputs;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A batch of token ids from a file. All arrays are {@code [batch][seq]}.
 *
 * @param source the file, for messages
 * @param mask 1 for tokens and 0 for padding
 * @param typeIds segments, or null
 */
@SuppressWarnings("ArrayRecordComponent") // read once, handed to tensors
record TokenIds(String source, long[][] ids, long[][] mask, long @Nullable [][] typeIds) {

    /**
     * Reads {@code {"input_ids": [[…]], "attention_mask": [[…]], "token_type_ids": [[…]]}}.
     *
     * @throws FormatException naming the field, the row and the position of what is wrong
     */
    static TokenIds read(Path file) {
        return of(Fields.read(file));
    }

    static TokenIds of(Fields fields) {
        long[][] ids = rows(fields, "input_ids", Integer.MAX_VALUE, null);
        long[][] mask;
        if (fields.node("attention_mask") != null) {
            mask = rows(fields, "attention_mask", 1, ids);
        } else {
            mask = new long[ids.length][ids[0].length];
            Arrays.stream(mask).forEach(row -> Arrays.fill(row, 1));
        }
        for (int row = 0; row < mask.length; row++) {
            if (Arrays.stream(mask[row]).sum() == 0) {
                throw wrong(fields, "attention_mask[" + row + "] has no 1, expected at least one token in a row");
            }
        }
        long[][] types =
                fields.node("token_type_ids") != null ? rows(fields, "token_type_ids", Integer.MAX_VALUE, ids) : null;
        fields.rejectUnread("Expected are input_ids, attention_mask and token_type_ids.");
        return new TokenIds(fields.source(), ids, mask, types);
    }

    /** The rows of a field, each as long as the first one, or as the ids where they are there already. */
    private static long[][] rows(Fields fields, String name, int most, long @Nullable [][] ids) {
        List<JsonNode> list = fields.list(name);
        if (list.isEmpty()) {
            throw wrong(fields, name + " is [], expected at least one row");
        }
        if (ids != null && list.size() != ids.length) {
            throw wrong(fields, name + " has " + list.size() + " rows, input_ids has " + ids.length);
        }
        long[][] rows = new long[list.size()][];
        for (int row = 0; row < rows.length; row++) {
            JsonNode values = list.get(row);
            if (!values.isArray() || values.isEmpty()) {
                throw wrong(fields, name + "[" + row + "] is not an array of at least one integer");
            }
            int length = ids == null ? list.get(0).size() : ids[row].length;
            if (values.size() != length) {
                throw wrong(
                        fields,
                        name + "[" + row + "] has " + values.size() + " values, expected " + length + " as "
                                + (ids == null
                                        ? "row 0 has: pad the shorter rows and say which tokens count in attention_mask"
                                        : "input_ids[" + row + "] has"));
            }
            rows[row] = new long[length];
            for (int i = 0; i < length; i++) {
                JsonNode value = values.get(i);
                if (!value.isInt() || value.intValue() < 0 || value.intValue() > most) {
                    throw wrong(
                            fields,
                            name + "[" + row + "][" + i + "] is " + value + ", expected "
                                    + (most == 1 ? "0 or 1" : "an integer of at least 0"));
                }
                rows[row][i] = value.intValue();
            }
        }
        return rows;
    }

    private static FormatException wrong(Fields fields, String what) {
        return new FormatException(fields.source(), what, null);
    }

    /** Refuses ids that the base doesn't know and rows that it can't take. */
    void check(Base base) {
        int known = base.backbone().vocabSize();
        for (int row = 0; row < ids.length; row++) {
            for (int i = 0; i < ids[row].length; i++) {
                if (ids[row][i] >= known) {
                    throw new FormatException(
                            source,
                            "input_ids[" + row + "][" + i + "] is " + ids[row][i] + ", expected 0 to " + (known - 1)
                                    + ", the token ids of " + base.name(),
                            null);
                }
            }
        }
        int longest = base.backbone().maxPositions();
        if (width() > longest) {
            throw new FormatException(
                    source, "its rows have " + width() + " tokens, " + base.name() + " takes at most " + longest, null);
        }
    }

    int size() {
        return ids.length;
    }

    int width() {
        return ids[0].length;
    }

    /** Some rows as a batch. */
    Inputs inputs(int from, int to) {
        return new Inputs(
                Tensors.of(Arrays.copyOfRange(ids, from, to)),
                Tensors.of(Arrays.copyOfRange(mask, from, to)),
                typeIds == null ? null : Tensors.of(Arrays.copyOfRange(typeIds, from, to)),
                null);
    }
}
