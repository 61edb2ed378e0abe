package dev.graft.models;

import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A batch of token ids. All tensors are int64.
 *
 * @param ids {@code [batch, seq]}
 * @param mask {@code [batch, seq]}, 1 for tokens and 0 for padding
 * @param typeIds segment ids {@code [batch, seq]}, or null for zeros
 * @param positions {@code [batch, seq]}, or null for 0, 1, 2, …
 */
public record Inputs(
        Tensor ids,
        Tensor mask,
        @Nullable Tensor typeIds,
        @Nullable Tensor positions) {
    /** A batch without padding. */
    public static Inputs of(long[][] ids) {
        Tensor tensor = Tensors.of(ids);
        return of(tensor, torchOnesLike(tensor));
    }

    /** A batch with its mask. */
    public static Inputs of(Tensor ids, Tensor mask) {
        return new Inputs(ids, mask, null, null);
    }

    /** The same batch with positions counted from the mask, as generation does with padding on the left. */
    public Inputs withPositionsFromMask() {
        return new Inputs(ids, mask, typeIds, positionsFromMask(mask));
    }

    /** How many tokens before each position count, at least 0: {@code [batch, seq]}. */
    static Tensor positionsFromMask(Tensor mask) {
        return mask.cumsum(1).sub(new org.bytedeco.pytorch.Scalar(1L)).clamp_min(new org.bytedeco.pytorch.Scalar(0L));
    }

    public long rows() {
        return ids.size(0);
    }

    public long width() {
        return ids.size(1);
    }

    private static Tensor torchOnesLike(Tensor tensor) {
        return Tensors.ones(org.bytedeco.pytorch.global.torch.ScalarType.Long, Tensors.shape(tensor));
    }
}
