package dev.graft.train.data;

import dev.graft.formats.InputException;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One row as a model sees it.
 *
 * @param row the number of the row it was made of
 * @param ids token ids
 * @param typeIds segment of each token, null where the model has no segments
 * @param decoderIds for an encoder-decoder, the token that starts an answer and the answer, which the labels of the target repeat; else null
 * @param image for a model of images, whose ids are none; else null
 * @param others further examples that are only compared with this one, such as the rejected answer of a pair
 * @param segments lengths of the rows that stand one after another without seeing each other; null for one row
 * @param task the number of the task that the row names, or {@link #NO_TASK}
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract: examples are shared, not copied
public record Example(
        int row,
        int[] ids,
        int @Nullable [] typeIds,
        Target target,
        int @Nullable [] decoderIds,
        @Nullable Image image,
        List<Example> others,
        int @Nullable [] segments,
        int task) {
    /** Of a row that names no task. */
    public static final int NO_TASK = -1;

    public Example {
        others = List.copyOf(others);
    }

    /** A row that is compared with none. */
    public Example(
            int row,
            int[] ids,
            int @Nullable [] typeIds,
            Target target,
            int @Nullable [] decoderIds,
            @Nullable Image image) {
        this(row, ids, typeIds, target, decoderIds, image, List.of(), null, NO_TASK);
    }

    /** A row for a model of one side. */
    public Example(int row, int[] ids, int @Nullable [] typeIds, Target target) {
        this(row, ids, typeIds, target, null, null);
    }

    /** The same beside others. */
    Example with(List<Example> beside) {
        return new Example(row, ids, typeIds, target, decoderIds, image, beside, segments, task);
    }

    /** The same of a row that names a task. */
    public Example withTask(int number) {
        return new Example(row, ids, typeIds, target, decoderIds, image, others, segments, number);
    }

    /** Rows of a causal model one after another; the first token of none is predicted, as in a row alone. */
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
        return new Example(
                rows.get(0).row, ids, null, new Target.Tokens(labels), null, null, List.of(), segments, NO_TASK);
    }

    public int length() {
        return ids.length;
    }

    /** Tokens of the longest side of this and the others. */
    public int longest() {
        int own = decoderIds == null ? ids.length : Math.max(ids.length, decoderIds.length);
        return Math.max(own, others.stream().mapToInt(Example::longest).max().orElse(0));
    }

    /** Tokens of this and the others. */
    public int tokens() {
        int own = ids.length + (decoderIds == null ? 0 : decoderIds.length);
        return own + others.stream().mapToInt(Example::tokens).sum();
    }

    /** Terms of the loss of this and the others; 0 where one of them has none, since then there is nothing to compare. */
    public int lossTerms() {
        if (target instanceof Target.ClassId) {
            return 1;
        }
        int terms = target.lossTerms();
        for (Example other : others) {
            int own = other.lossTerms();
            terms = own == 0 ? 0 : terms + own;
        }
        return terms;
    }

    /** Whether it is a row of a causal model, whose tokens mean something without the others. */
    boolean canBeCut() {
        return target instanceof Target.Tokens && decoderIds == null && others.isEmpty();
    }

    /**
     * Some tokens of a causal model's row, with their labels.
     *
     * @throws InputException for other rows, whose tokens have a meaning together
     */
    Example part(int start, int most) {
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
