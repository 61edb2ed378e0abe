package dev.graft.tensor.ops;

import static dev.graft.tensor.internal.kernels.Kernels.isFloat;
import static dev.graft.tensor.internal.kernels.Kernels.isOf;
import static dev.graft.tensor.internal.kernels.Kernels.supports;
import static dev.graft.tensor.internal.kernels.Kernels.threads;

import dev.graft.tensor.TensorException;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.kernels.Operand;
import java.util.Arrays;
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
     * @param cos {@code [batch or 1, 1, seq, turned]}, fp32 or of x's type, for the first, rotated values of a head
     * @param sin likewise, negative for the first of a pair
     * @param back whether to rotate by the negative angles
     * @return x's shape, {@code [batch, seq, heads, d]} in memory; null if the loops don't support the operands
     */
    public static @Nullable Tensor rotate(Tensor x, Tensor cos, Tensor sin, boolean back) {
        boolean angles = supports(cos) && isOf(sin, cos.scalar_type()) && cos.is_contiguous() && sin.is_contiguous();
        boolean typed = isFloat(cos) || isOf(cos, x.scalar_type());
        if (!supports(x) || !angles || !typed || x.stride(3) != 1) {
            return null;
        }
        long batch = x.size(0);
        long heads = x.size(1);
        long seq = x.size(2);
        long d = x.size(3);
        long turned = cos.size(3);
        if (turned > d || turned % 2 != 0 || cos.size(2) != seq || cos.size(0) != 1 && cos.size(0) != batch) {
            throw new TensorException("cos is " + Arrays.toString(Tensors.shape(cos)) + ", expected [1 or " + batch
                    + ", 1, " + seq + ", an even number up to " + d + "]");
        }
        Tensor y = Tensors.empty(x.scalar_type(), batch, seq, heads, d);
        Operand from = Operand.strided("x", x, x.scalar_type(), batch, heads, seq, d);
        Operand cosines = Operand.flat("cos", cos, cos.scalar_type(), cos.size(0) * seq * turned);
        Operand sines = Operand.flat("sin", sin, cos.scalar_type(), cos.numel());
        Operand to = Operand.flat("the result", y, x.scalar_type(), x.numel());
        rotate(
                from.address(),
                from.bf16(),
                cosines.address(),
                sines.address(),
                cosines.bf16(),
                to.address(),
                back ? -1 : 1,
                batch,
                heads,
                seq,
                d,
                turned,
                from.stride(0),
                from.stride(1),
                from.stride(2),
                seq * heads * d,
                d,
                heads * d,
                cos.size(0) == 1 ? 0 : seq * turned,
                threads(x.numel()));
        Operand.keepAlive(from, cosines, sines, to);
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
            if (queries < 1 || scores.size(2) % queries != 0) {
                throw new TensorException(queries + " queries of groups of " + scores.size(2) + " rows");
            }
            Operand x = Operand.flat("scores", scores, scores.scalar_type(), scores.numel());
            Operand added = null;
            long masked = 0;
            long row = 0;
            long text = 0;
            if (mask != null) {
                added = mask(mask, scores, queries);
                masked = mask.size(3);
                row = mask.size(2) == 1 ? 0 : added.stride(2);
                text = mask.size(0) == 1 ? 0 : added.stride(0);
            }
            softmax(
                    x.address(),
                    x.bf16(),
                    scores.numel() / keys,
                    keys,
                    Operand.address(added),
                    masked,
                    queries,
                    scores.size(1) * scores.size(2),
                    row,
                    text,
                    threads(scores.numel()));
            Operand.keepAlive(x, added);
            return scores;
        }
        return null;
    }

    private static Operand mask(Tensor mask, Tensor scores, long queries) {
        boolean fits = (mask.size(0) == 1 || mask.size(0) == scores.size(0))
                && (mask.size(2) == 1 || mask.size(2) == queries)
                && mask.size(3) <= scores.size(3);
        if (!fits) {
            throw new TensorException("mask is " + Arrays.toString(Tensors.shape(mask)) + ", expected [1 or "
                    + scores.size(0) + ", 1, 1 or " + queries + ", at most " + scores.size(3) + "]");
        }
        return Operand.strided("mask", mask, scores.scalar_type(), Tensors.shape(mask));
    }

    /**
     * Returns {@code P ⊙ (dP - Σ P ⊙ dP)}, the gradient of the scores for the softmax P over the last dimension. Overwrites dP where possible.
     */
    public static Tensor softmaxBackward(Tensor gradient, Tensor probabilities) {
        boolean fits = isOf(gradient, probabilities.scalar_type()) && gradient.is_contiguous();
        if (supports(probabilities) && fits && probabilities.is_contiguous()) {
            long n = probabilities.numel();
            long keys = probabilities.size(-1);
            Operand p = Operand.flat("probabilities", probabilities, probabilities.scalar_type(), n);
            Operand dp = Operand.flat("gradient", gradient, probabilities.scalar_type(), n);
            softmaxBackward(p.address(), dp.address(), p.bf16(), n / keys, keys, threads(n));
            Operand.keepAlive(p, dp);
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
        long rows = q.size(0);
        long heads = keys.size(1);
        long capacity = keys.size(2);
        long d = keys.size(3);
        long group = q.size(1) / Math.max(1, heads);
        boolean fits = supports(q) && isOf(q, type) && isOf(key, type) && isOf(value, type) && isOf(values, type);
        boolean dense = q.stride(3) == 1 && key.stride(3) == 1 && value.stride(3) == 1;
        if (!fits || !dense || !keys.is_contiguous() || !values.is_contiguous() || group > GROUP || d > HEAD) {
            return null;
        }
        for (long place : Tensors.longs(places)) {
            if (place < 0 || place >= capacity) {
                throw new TensorException("a position after " + place + " others of room for " + capacity);
            }
        }
        Tensor to = Tensors.empty(type, rows, 1, q.size(1) * d);
        Operand query = Operand.strided("q", q, type, rows, heads * group, 1, d);
        Operand k = Operand.strided("key", key, type, rows, heads, 1, d);
        Operand v = Operand.strided("value", value, type, rows, heads, 1, d);
        Operand all = Operand.flat("keys", keys, type, rows * heads * capacity * d);
        Operand allValues = Operand.flat("values", values, type, rows * heads * capacity * d);
        Operand behind = Operand.flat("places", places, ScalarType.Long, rows);
        Operand answer = Operand.flat("the result", to, type, q.numel());
        attendNext(
                query.bf16(),
                query.address(),
                query.stride(0),
                query.stride(1),
                k.address(),
                k.stride(0),
                k.stride(1),
                v.address(),
                v.stride(0),
                v.stride(1),
                all.address(),
                allValues.address(),
                behind.address(),
                answer.address(),
                rows,
                heads,
                group,
                d,
                capacity,
                (float) scale,
                threads(q.numel() * capacity));
        Operand.keepAlive(query, k, v, all, allValues, behind, answer);
        return to;
    }

    /** @param angles the distance from one text's cosines to the next text's */
    private static native void rotate(
            long x,
            int bf16,
            long cos,
            long sin,
            int anglesBf16,
            long y,
            float sign,
            long batch,
            long heads,
            long seq,
            long d,
            long turned,
            long xBatch,
            long xHead,
            long xSeq,
            long yBatch,
            long yHead,
            long ySeq,
            long angles,
            int threads);

    /**
     * Computes the softmax in place.
     *
     * @param mask added to the last scores of a row, 0 for none
     * @param queries row r has the mask of query {@code r % queries}
     * @param each the number of rows of a text
     * @param row the distance from one query's mask to the next one's
     * @param text the distance from one text's mask to the next one's
     */
    private static native void softmax(
            long x,
            int bf16,
            long rows,
            long keys,
            long mask,
            long masked,
            long queries,
            long each,
            long row,
            long text,
            int threads);

    /** Overwrites dp with the gradient of the softmax. */
    private static native void softmaxBackward(long p, long dp, int bf16, long rows, long keys, int threads);

    /**
     * Computes attention of one more position in each row. Its key and value are written behind the row's cached ones.
     *
     * @param places int64, the number of cached positions of each row
     * @param heads the number of key heads
     * @param group the number of queries that share a key head, at most 16
     * @param d at most 256
     * @param capacity the number of positions allocated for a head in the cache
     */
    private static native void attendNext(
            int bf16,
            long q,
            long qRow,
            long qHead,
            long key,
            long keyRow,
            long keyHead,
            long value,
            long valueRow,
            long valueHead,
            long keys,
            long values,
            long places,
            long to,
            long rows,
            long heads,
            long group,
            long d,
            long capacity,
            float scale,
            int threads);
}
