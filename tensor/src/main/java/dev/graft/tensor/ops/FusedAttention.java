package dev.graft.tensor.ops;

import static dev.graft.tensor.internal.kernels.Kernels.address;
import static dev.graft.tensor.internal.kernels.Kernels.bf16Flag;
import static dev.graft.tensor.internal.kernels.Kernels.isOf;
import static dev.graft.tensor.internal.kernels.Kernels.rows;
import static dev.graft.tensor.internal.kernels.Kernels.supports;
import static dev.graft.tensor.internal.kernels.Kernels.threads;

import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.kernels.Kernels;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Attention's operations besides its products as {@link FusedOps} loops, and attention of one more token. */
public final class FusedAttention {
    private FusedAttention() {}

    /**
     * Rotates halves of heads by their positions: {@code x cos + other sin}, where the other value of a pair is half of the rotated values away.
     *
     * @param x {@code [batch, heads, seq, d]}
     * @param cos {@code [batch or 1, 1, seq, turned]}, for the first, rotated values of a head
     * @param sin likewise, negative for the first of a pair
     * @param back whether to rotate by the negative angles
     * @return x's shape, {@code [batch, seq, heads, d]} in memory; null if the loops don't support the operands
     */
    public static @Nullable Tensor rotate(Tensor x, Tensor cos, Tensor sin, boolean back) {
        boolean angles = supports(cos) && isOf(sin, cos.scalar_type()) && cos.is_contiguous() && sin.is_contiguous();
        if (!supports(x) || !angles || x.stride(3) != 1) {
            return null;
        }
        long batch = x.size(0);
        long heads = x.size(1);
        long seq = x.size(2);
        long d = x.size(3);
        long turned = cos.size(3);
        Tensor y = Tensors.empty(x.scalar_type(), batch, seq, heads, d);
        Kernels.rotate(
                address(x),
                bf16Flag(x),
                address(cos),
                address(sin),
                bf16Flag(cos),
                address(y),
                back ? -1 : 1,
                batch,
                heads,
                seq,
                d,
                turned,
                x.stride(0),
                x.stride(1),
                x.stride(2),
                seq * heads * d,
                d,
                heads * d,
                cos.size(0) == 1 ? 0 : seq * turned,
                threads(x.numel()));
        Kernels.keepAlive(x, cos, sin, y);
        return y.transpose(1, 2);
    }

    /**
     * Computes the softmax over the last dimension in place.
     *
     * @param scores {@code [rows, kvHeads, group · queries, keys]}
     * @param mask added to the last keys, {@code [rows or 1, 1, queries or 1, masked]}, or null
     * @return the scores; null if the loops don't support the operands
     */
    public static @Nullable Tensor softmax(Tensor scores, @Nullable Tensor mask, long queries) {
        boolean fits = mask == null || isOf(mask, scores.scalar_type()) && mask.stride(3) == 1 && mask.size(1) == 1;
        if (supports(scores) && scores.is_contiguous() && fits) {
            long keys = scores.size(3);
            Kernels.softmax(
                    address(scores),
                    bf16Flag(scores),
                    scores.numel() / Math.max(1, keys),
                    keys,
                    mask == null ? 0 : address(mask),
                    mask == null ? 0 : mask.size(3),
                    queries,
                    scores.size(1) * scores.size(2),
                    mask == null || mask.size(2) == 1 ? 0 : mask.stride(2),
                    mask == null || mask.size(0) == 1 ? 0 : mask.stride(0),
                    threads(scores.numel()));
            Kernels.keepAlive(scores, mask);
            return scores;
        }
        return null;
    }

    /**
     * Returns {@code P ⊙ (dP - Σ P ⊙ dP)}, the gradient of the scores for the softmax P over the last dimension. Overwrites dP where possible.
     */
    public static Tensor softmaxBackward(Tensor gradient, Tensor probabilities) {
        boolean fits = isOf(gradient, probabilities.scalar_type()) && gradient.is_contiguous();
        if (supports(probabilities) && fits && probabilities.is_contiguous()) {
            Kernels.softmaxBackward(
                    address(probabilities),
                    address(gradient),
                    bf16Flag(gradient),
                    rows(gradient),
                    gradient.size(-1),
                    threads(gradient.numel()));
            Kernels.keepAlive(probabilities, gradient);
            return gradient;
        }
        return softmaxBackwardByTorch(gradient, probabilities);
    }

    /** Returns the gradient that {@link #softmaxBackward} computes, by libtorch and in a new tensor. */
    public static Tensor softmaxBackwardByTorch(Tensor gradient, Tensor probabilities) {
        return TorchOperator.softmaxBackward(gradient, probabilities);
    }

    /** The most queries that share a key, and the most values of a head, that {@link #attendNext} is for. */
    private static final long GROUP = 16;

    private static final long HEAD = 256;

    /**
     * Computes {@code softmax(s · q kᵀ) v} of one more position in each row, whose key and value are written behind the row's cached ones.
     *
     * @param q {@code [rows, heads, 1, d]}
     * @param key {@code [rows, kvHeads, 1, d]}; value likewise
     * @param keys the cached keys {@code [rows, kvHeads, capacity, d]}; values likewise
     * @param places the number of cached positions of each row, {@code [rows]} int64
     * @return {@code [rows, 1, heads · d]}; null if the loops don't support the operands, which are then unchanged
     */
    public static @Nullable Tensor attendNext(
            Tensor q, Tensor key, Tensor value, Tensor keys, Tensor values, Tensor places, double scale) {
        ScalarType type = keys.scalar_type();
        long d = keys.size(3);
        long group = q.size(1) / keys.size(1);
        boolean fits = supports(q) && isOf(q, type) && isOf(key, type) && isOf(value, type) && isOf(values, type);
        boolean dense = q.stride(3) == 1 && key.stride(3) == 1 && value.stride(3) == 1;
        if (!fits || !dense || !keys.is_contiguous() || !values.is_contiguous() || group > GROUP || d > HEAD) {
            return null;
        }
        Tensor to = Tensors.empty(type, q.size(0), 1, q.size(1) * d);
        Kernels.attendNext(
                bf16Flag(q),
                address(q),
                q.stride(0),
                q.stride(1),
                address(key),
                key.stride(0),
                key.stride(1),
                address(value),
                value.stride(0),
                value.stride(1),
                address(keys),
                address(values),
                address(places),
                address(to),
                q.size(0),
                keys.size(1),
                group,
                d,
                keys.size(2),
                (float) scale,
                threads(q.numel() * keys.size(2)));
        Kernels.keepAlive(q, key, value, keys, values, places, to);
        return to;
    }
}
