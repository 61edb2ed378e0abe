package dev.graft.train.data;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Some examples side by side, padded on the right to the longest of them. What is padding is known from the lengths alone; the pad id
 * may well be a token that also occurs in the text.
 *
 * @param width the longest length
 * @param ids token ids, [rows, width]
 * @param typeIds segments, [rows, width], 0 for padding; null where the model has none
 * @param lengths real tokens of each row
 * @param lossTerms what a mean of the loss divides by: labelled tokens, or rows
 * @param rowIndices the number of each row in its data set
 */
@SuppressWarnings("ArrayRecordComponent") // made once for one step, never shared
public record Batch(
        int rows,
        int width,
        long[] ids,
        long @Nullable [] typeIds,
        int[] lengths,
        Targets targets,
        int realTokens,
        int lossTerms,
        int[] rowIndices) {

    /** Puts examples together. */
    public static Batch of(List<Example> examples, int padId) {
        int rows = examples.size();
        int width = examples.stream().mapToInt(Example::length).max().orElseThrow();
        long[] ids = new long[Math.multiplyExact(rows, width)];
        long[] typeIds = examples.get(0).typeIds() == null ? null : new long[rows * width];
        Arrays.fill(ids, padId);
        int[] lengths = new int[rows];
        int[] indices = new int[rows];
        int realTokens = 0;
        int lossTerms = 0;
        for (int row = 0; row < rows; row++) {
            Example example = examples.get(row);
            int[] types = example.typeIds();
            for (int i = 0; i < example.length(); i++) {
                ids[row * width + i] = example.ids()[i];
                if (typeIds != null && types != null) {
                    typeIds[row * width + i] = types[i];
                }
            }
            lengths[row] = example.length();
            indices[row] = example.row();
            realTokens += example.length();
            lossTerms += example.target().lossTerms();
        }
        return new Batch(
                rows, width, ids, typeIds, lengths, Targets.of(examples, width), realTokens, lossTerms, indices);
    }

    /** 1 for real tokens, 0 for padding: [rows, width]. */
    public long[] attentionMask() {
        long[] mask = new long[rows * width];
        for (int row = 0; row < rows; row++) {
            Arrays.fill(mask, row * width, row * width + lengths[row], 1);
        }
        return mask;
    }

    /** Whether any row is padded. */
    public boolean isPadded() {
        return realTokens < rows * width;
    }
}
