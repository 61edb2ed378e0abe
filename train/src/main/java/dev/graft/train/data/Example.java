package dev.graft.train.data;

import org.jspecify.annotations.Nullable;

/**
 * One row as a model sees it.
 *
 * @param row the number of the row it was made of
 * @param ids token ids
 * @param typeIds segment of each token, null where the model has no segments
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract: examples are shared, not copied
public record Example(int row, int[] ids, int @Nullable [] typeIds, Target target) {

    public int length() {
        return ids.length;
    }
}
