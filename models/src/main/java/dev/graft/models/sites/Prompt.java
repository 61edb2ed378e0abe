package dev.graft.models.sites;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Rows of input embeddings put before those of the tokens.
 *
 * @param rows {@code [batch, prompt, hidden]}
 * @param mask {@code [batch, prompt]} int64, 0 where a row has no such entry
 * @param targets what should be predicted at them
 * @param inside for each row, whether its entries come behind its first token, as they may where the residual stream enters the first layer;
 *     null where none do
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract: made once for a pass
public record Prompt(Tensor rows, Tensor mask, PromptTargets targets, boolean @Nullable [] inside) {
    /** Rows at which nothing is predicted. */
    public Prompt(Tensor rows, Tensor mask) {
        this(rows, mask, PromptTargets.none(Math.toIntExact(mask.numel())), null);
    }

    public long length() {
        return mask.size(1);
    }

    /**
     * What stands where once the prompt is before the tokens, {@code [batch, prompt + seq]} int64: the first token of some rows goes before
     * their entries.
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

    /** How many entries each row lacks: {@code [batch]} int64. They are its first ones. */
    public Tensor missing() {
        return Ops.plusLong(Ops.sum(mask, 1, false).neg(), length());
    }
}
