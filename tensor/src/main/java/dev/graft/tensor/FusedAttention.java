package dev.graft.tensor;

import static dev.graft.tensor.Kernels.at;
import static dev.graft.tensor.Kernels.flag;
import static dev.graft.tensor.Kernels.isOf;
import static dev.graft.tensor.Kernels.rows;
import static dev.graft.tensor.Kernels.takes;
import static dev.graft.tensor.Kernels.threads;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** What attention is made of beside its products, as {@link Fused} loops, and attention of one more token. */
public final class FusedAttention {
    private FusedAttention() {}

    /**
     * Rotary positions by halves: {@code x cos + other sin}, where the other value of a pair is half of the turned ones away.
     *
     * @param x {@code [batch, heads, seq, d]}
     * @param cos {@code [batch or 1, 1, seq, turned]}, the first values of a head that turn
     * @param sin likewise, negative for the first of a pair
     * @param back whether to turn by the negative angles
     * @return of x's shape, {@code [batch, seq, heads, d]} in memory; null where this isn't for it
     */
    public static @Nullable Tensor rotated(Tensor x, Tensor cos, Tensor sin, boolean back) {
        boolean angles = takes(cos) && isOf(sin, cos.scalar_type()) && cos.is_contiguous() && sin.is_contiguous();
        if (!takes(x) || !angles || x.stride(3) != 1) {
            return null;
        }
        long batch = x.size(0);
        long heads = x.size(1);
        long seq = x.size(2);
        long d = x.size(3);
        long turned = cos.size(3);
        Tensor y = Tensors.empty(x.scalar_type(), batch, seq, heads, d);
        Kernels.rotate(
                at(x),
                flag(x),
                at(cos),
                at(sin),
                flag(cos),
                at(y),
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
        Kernels.keep(x, cos, sin, y);
        return y.transpose(1, 2);
    }

    /**
     * The softmax over the last dimension, in place of the scores.
     *
     * @param scores {@code [rows, kvHeads, group · queries, keys]}
     * @param mask added to the last keys, {@code [rows or 1, 1, queries or 1, masked]}, or null
     * @return the scores; null where this isn't for them
     */
    public static @Nullable Tensor softmax(Tensor scores, @Nullable Tensor mask, long queries) {
        boolean fits = mask == null || isOf(mask, scores.scalar_type()) && mask.stride(3) == 1 && mask.size(1) == 1;
        if (takes(scores) && scores.is_contiguous() && fits) {
            long keys = scores.size(3);
            Kernels.softmax(
                    at(scores),
                    flag(scores),
                    scores.numel() / Math.max(1, keys),
                    keys,
                    mask == null ? 0 : at(mask),
                    mask == null ? 0 : mask.size(3),
                    queries,
                    scores.size(1) * scores.size(2),
                    mask == null || mask.size(2) == 1 ? 0 : mask.stride(2),
                    mask == null || mask.size(0) == 1 ? 0 : mask.stride(0),
                    threads(scores.numel()));
            Kernels.keep(scores, mask);
            return scores;
        }
        return null;
    }

    /** {@code P ⊙ (dP - Σ P ⊙ dP)}, the gradient of what the softmax P over the last dimension was made of, in place of dP where it can be. */
    public static Tensor softmaxBackward(Tensor gradient, Tensor probabilities) {
        boolean fits = isOf(gradient, probabilities.scalar_type()) && gradient.is_contiguous();
        if (takes(probabilities) && fits && probabilities.is_contiguous()) {
            Kernels.softmaxBackward(
                    at(probabilities),
                    at(gradient),
                    flag(gradient),
                    rows(gradient),
                    gradient.size(-1),
                    threads(gradient.numel()));
            Kernels.keep(probabilities, gradient);
            return gradient;
        }
        return Ops.softmaxBackward(gradient, probabilities);
    }

    /** The most queries that share a key, and the most values of a head, that {@link #attendNext} is for. */
    private static final long GROUP = 16;

    private static final long HEAD = 256;

    /**
     * {@code softmax(s · q kᵀ) v} of one more position of each row, whose key and value come behind those that the row has.
     *
     * @param q {@code [rows, heads, 1, d]}
     * @param key {@code [rows, kvHeads, 1, d]}, as value
     * @param keys of each row {@code [rows, kvHeads, capacity, d]}, as values
     * @param places how many positions each row has, {@code [rows]} int64
     * @return {@code [rows, 1, heads · d]}; null where this isn't for them, and nothing has changed
     */
    public static @Nullable Tensor attendNext(
            Tensor q, Tensor key, Tensor value, Tensor keys, Tensor values, Tensor places, double scale) {
        ScalarType type = keys.scalar_type();
        long d = keys.size(3);
        long group = q.size(1) / keys.size(1);
        boolean fits = takes(q) && isOf(q, type) && isOf(key, type) && isOf(value, type) && isOf(values, type);
        boolean dense = q.stride(3) == 1 && key.stride(3) == 1 && value.stride(3) == 1;
        if (!fits || !dense || !keys.is_contiguous() || !values.is_contiguous() || group > GROUP || d > HEAD) {
            return null;
        }
        Tensor to = Tensors.empty(type, q.size(0), 1, q.size(1) * d);
        Kernels.attendNext(
                flag(q),
                at(q),
                q.stride(0),
                q.stride(1),
                at(key),
                key.stride(0),
                key.stride(1),
                at(value),
                value.stride(0),
                value.stride(1),
                at(keys),
                at(values),
                at(places),
                at(to),
                q.size(0),
                keys.size(1),
                group,
                d,
                keys.size(2),
                (float) scale,
                threads(q.numel() * keys.size(2)));
        Kernels.keep(q, key, value, keys, values, places, to);
        return to;
    }
}
