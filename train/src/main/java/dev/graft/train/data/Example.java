package dev.graft.train.data;

import dev.graft.formats.InputException;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One encoded row: the model's inputs and the target.
 *
 * @param row the number of the row in its data set
 * @param ids token ids, [length]
 * @param typeIds the segment of each token, [length]; null for a model without segments
 * @param decoderIds for an encoder-decoder, the decoder start token and the answer, which are also the labels of the target; else null
 * @param image for a vision model, whose ids are empty; else null
 * @param others further examples that are only compared with this one, such as the rejected answer of a pair
 * @param segments lengths of the packed rows, which don't attend to each other; null for one row
 * @param task the number of the task that the row names, or {@link #NO_TASK}
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract: examples are shared, not copied
@RecordBuilder
public record Example(
        int row,
        int[] ids,
        int @Nullable [] typeIds,
        Target target,
        int @Nullable [] decoderIds,
        @Nullable Image image,
        List<Example> others,
        int @Nullable [] segments,
        int task)
        implements ExampleBuilder.With {
    /** The task of a row that names none. */
    public static final int NO_TASK = -1;

    public Example {
        others = List.copyOf(others);
    }

    /** Creates an example that is compared with no other. */
    public Example(
            int row,
            int[] ids,
            int @Nullable [] typeIds,
            Target target,
            int @Nullable [] decoderIds,
            @Nullable Image image) {
        this(row, ids, typeIds, target, decoderIds, image, List.of(), null, NO_TASK);
    }

    /** Creates an example for an encoder or a causal model. */
    public Example(int row, int[] ids, int @Nullable [] typeIds, Target target) {
        this(row, ids, typeIds, target, null, null);
    }

    /** Packs rows of a causal model into one. The first token of each row isn't predicted, as in a row alone. */
    static Example packed(List<Example> rows) {
        if (rows.size() == 1) {
            return rows.get(0);
        }
        int[] ids = rows.stream().flatMapToInt(row -> Arrays.stream(row.ids)).toArray();
        int[] labels = new int[ids.length];
        int[] segments = new int[rows.size()];
        int at = 0;
        for (int i = 0; i < segments.length; i++) {
            int[] own = ((Target.Tokens) rows.get(i).target).labels();
            System.arraycopy(own, 0, labels, at, own.length);
            labels[at] = Target.NONE;
            segments[i] = own.length;
            at += own.length;
        }
        return new Example(rows.get(0).row, ids, null, new Target.Tokens(labels)).withSegments(segments);
    }

    public int length() {
        return ids.length;
    }

    /** Returns the tokens of the longest input, encoder or decoder, of this and the others. */
    public int longest() {
        int own = decoderIds == null ? ids.length : Math.max(ids.length, decoderIds.length);
        return Math.max(own, others.stream().mapToInt(Example::longest).max().orElse(0));
    }

    /** Returns the tokens of this and the others. */
    public int tokens() {
        int own = ids.length + (decoderIds == null ? 0 : decoderIds.length);
        return own + others.stream().mapToInt(Example::tokens).sum();
    }

    /**
     * Returns the loss terms of this and the others; 0 if one of them has none, since then there is nothing to compare.
     */
    public int lossTerms() {
        if (target instanceof Target.ClassId || target instanceof Target.Match || target instanceof Target.Score) {
            return 1;
        }
        int terms = target.lossTerms();
        for (Example other : others) {
            int own = other.lossTerms();
            terms = own == 0 ? 0 : terms + own;
        }
        return terms;
    }

    /** Returns whether it is a row of a causal model, whose parts are examples too. */
    boolean canBeCut() {
        return target instanceof Target.Tokens && decoderIds == null && others.isEmpty();
    }

    /**
     * Returns some tokens of a causal model's row, with their labels.
     *
     * @throws InputException for other rows, whose tokens have a meaning together
     */
    Example slice(int start, int most) {
        if (!canBeCut() || !(target instanceof Target.Tokens tokens)) {
            throw new InputException("overflow is truncate_left or split, but only rows of causal models can be cut"
                    + " so; use truncate, drop or error");
        }
        int end = Math.min(ids.length, start + most);
        return new Example(
                        row,
                        Arrays.copyOfRange(ids, start, end),
                        null,
                        new Target.Tokens(Arrays.copyOfRange(tokens.labels(), start, end)))
                .withTask(task);
    }
}
