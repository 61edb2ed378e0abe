package dev.graft.train.data;

import org.jspecify.annotations.Nullable;

/**
 * One row as a model sees it.
 *
 * @param row the number of the row it was made of
 * @param ids token ids
 * @param typeIds segment of each token, null where the model has no segments
 * @param decoderIds for an encoder-decoder, the token that starts an answer and the answer, which the labels of the target repeat; else null
 * @param image for a model of images, whose ids are none; else null
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract: examples are shared, not copied
public record Example(
        int row,
        int[] ids,
        int @Nullable [] typeIds,
        Target target,
        int @Nullable [] decoderIds,
        @Nullable Image image) {
    /** A row for a model of one side. */
    public Example(int row, int[] ids, int @Nullable [] typeIds, Target target) {
        this(row, ids, typeIds, target, null, null);
    }

    public int length() {
        return ids.length;
    }

    /** Tokens of its longer side. */
    int longest() {
        return decoderIds == null ? ids.length : Math.max(ids.length, decoderIds.length);
    }
}
