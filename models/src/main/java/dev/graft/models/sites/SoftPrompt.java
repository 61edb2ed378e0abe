package dev.graft.models.sites;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Rows of input embeddings before those of the tokens.
 *
 * @param rows {@code [batch, prompt, hidden]}
 * @param mask {@code [batch, prompt]} int64, 0 for missing entries of a row
 * @param targets the training targets at the rows
 * @param inside for each row, whether its entries follow its first token; possible only where the residual stream enters the first layer. Null if
 *     none do
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract: made once for a pass
public record SoftPrompt(Tensor rows, Tensor mask, PromptTargets targets, boolean @Nullable [] inside) {
    /** Creates rows without targets. */
    public SoftPrompt(Tensor rows, Tensor mask) {
        this(rows, mask, PromptTargets.none(Math.toIntExact(mask.numel())), null);
    }

    public long length() {
        return mask.size(1);
    }

    /**
     * Returns the source of each position after the prompt is inserted, {@code [batch, prompt + seq]} int64, as the first token of some rows
     * precedes their entries. Null if the prompt comes first in all rows.
     */
    public @Nullable Tensor order(long seq) {
        if (inside == null) {
            return null;
        }
        long[] missing = Tensors.longs(missing());
        int before = (int) length();
        int width = before + (int) seq;
        long[] order = new long[missing.length * width];
        for (int i = 0; i < order.length; i++) {
            int at = i % width;
            // Entries that a row lacks stay where they are.
            long begin = missing[i / width];
            boolean moves = inside[i / width] && at >= begin && at <= before;
            order[i] = !moves ? at : at == begin ? before : at - 1;
        }
        return Tensors.of(order, missing.length, width);
    }

    /** The number of missing entries at the start of each row, {@code [batch]} int64. */
    public Tensor missing() {
        return Ops.plusLong(Ops.sum(mask, 1, false).neg(), length());
    }
}
