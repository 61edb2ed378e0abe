package dev.graft.tensor;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * What takes libtorch several passes over memory, in one ({@code src/main/native/kernels.cc}), for tensors in fp32 and bf16; sums and functions are in fp32. A row is given
 * the same to the last bit whatever stands beside it. No gradient is recorded. Other types, and processors that the loops weren't compiled for, are left to
 * libtorch.
 */
public final class Fused {
    private Fused() {}

    /** Functions that gates are made with. */
    public enum Function {
        SILU {
            @Override
            Tensor apply(Tensor x) {
                return torch.silu(x);
            }

            @Override
            Tensor gradient(Tensor x, Tensor gradient) {
                return torch.silu_backward(gradient, x);
            }
        },
        GELU {
            @Override
            Tensor apply(Tensor x) {
                return torch.gelu(x);
            }

            @Override
            Tensor gradient(Tensor x, Tensor gradient) {
                return torch.gelu_backward(gradient, x);
            }
        };

        abstract Tensor apply(Tensor x);

        abstract Tensor gradient(Tensor x, Tensor gradient);
    }

    /** Root-mean-square normalisation (Zhang and Sennrich, 2019) of h {@code [..., n]}, or of parts of n values of its rows: {@code w ⊙ h / √(mean h² + ε)} in that type. */
    public static Tensor rmsNorm(Tensor h, Tensor weight, double eps, ScalarType type) {
        if (takes(h) && isFloat(weight) && takes(type)) {
            long n = weight.numel();
            Tensor x = h.contiguous();
            Tensor y = Tensors.empty(type, Tensors.shape(h));
            Kernels.rmsNorm(at(x), flag(x), at(weight.contiguous()), at(y), flag(y), x.numel() / n, n, (float) eps);
            return y;
        }
        Tensor x = parts(h, weight);
        return Ops.to(x.mul(factor(x, eps)).mul_(weight).view(Tensors.shape(h)), type);
    }

    /**
     * The gradient of h: with u = w ⊙ dy and r the factor of a row, {@code r u - r³ / n · (u · h) h}.
     *
     * @param sum what it is added to in place, of h's shape and type; null for nothing, and the answer is new
     */
    public static Tensor rmsNormBackward(Tensor h, Tensor weight, double eps, Tensor gradient, @Nullable Tensor sum) {
        boolean fits = sum == null || sum.is_contiguous() && isOf(sum, h.scalar_type());
        if (takes(h) && takes(gradient) && isFloat(weight) && fits) {
            long n = weight.numel();
            Tensor x = h.contiguous();
            Tensor dy = gradient.contiguous();
            Tensor dh = sum == null ? Tensors.empty(h.scalar_type(), Tensors.shape(h)) : sum;
            Kernels.rmsNormBackward(
                    at(x),
                    flag(x),
                    at(weight.contiguous()),
                    at(dy),
                    flag(dy),
                    at(dh),
                    sum == null ? 0 : 1,
                    x.numel() / n,
                    n,
                    (float) eps);
            return dh;
        }
        Tensor x = parts(h, weight);
        Tensor r = factor(x, eps);
        Tensor u = parts(gradient, weight).mul(weight);
        Tensor along = Ops.sum(u.mul(x), -1, true).mul_(r).mul_(r).mul_(r);
        Tensor back =
                u.mul_(r).addcmul_(x, along, new Scalar(-1.0 / x.size(-1))).view(Tensors.shape(h));
        return sum == null ? Ops.to(back, h.scalar_type()) : sum.add_(back);
    }

    private static Tensor parts(Tensor h, Tensor weight) {
        long n = weight.numel();
        return Ops.to(h, weight.scalar_type()).unflatten(-1, h.size(-1) / n, n);
    }

    private static Tensor factor(Tensor x, double eps) {
        return Ops.norm(x, -1, true)
                .square()
                .mul_(new Scalar(1.0 / x.size(-1)))
                .add_(new Scalar(eps))
                .rsqrt_();
    }

    /** {@code f(gate) ⊙ up}, or {@code f(gate)} where up is null; both {@code [..., n]} and of one type. */
    public static Tensor gate(Function function, Tensor gate, @Nullable Tensor up) {
        if (takes(gate) && (up == null || isOf(up, gate.scalar_type()))) {
            Tensor g = inRows(gate);
            Tensor u = up == null ? null : inRows(up);
            Tensor x = Tensors.empty(g.scalar_type(), Tensors.shape(g));
            Kernels.gate(
                    function.ordinal(),
                    flag(g),
                    at(g),
                    next(g),
                    u == null ? 0 : at(u),
                    u == null ? 0 : next(u),
                    at(x),
                    rows(g),
                    g.size(-1));
            return x;
        }
        Tensor active = function.apply(gate);
        return up == null ? active : active.mul_(up);
    }

    /**
     * The gradients of gate and, where there is one, of up.
     *
     * @param dx the gradient of what {@link #gate} gave, of its type; its values are gone afterwards
     */
    public static Tensor[] gateBackward(Function function, Tensor gate, @Nullable Tensor up, Tensor dx) {
        ScalarType type = gate.scalar_type();
        if (takes(gate) && isOf(dx, type) && dx.is_contiguous() && (up == null || isOf(up, type))) {
            Tensor g = gate.contiguous();
            Tensor dup = up == null ? null : Tensors.empty(type, Tensors.shape(g));
            Kernels.gateBackward(
                    function.ordinal(),
                    flag(g),
                    at(g),
                    up == null ? 0 : at(up.contiguous()),
                    at(dx),
                    dup == null ? 0 : at(dup),
                    rows(g),
                    g.size(-1));
            return dup == null ? new Tensor[] {dx} : new Tensor[] {dx, dup};
        }
        if (up == null) {
            return new Tensor[] {function.gradient(gate, dx)};
        }
        Tensor dup = function.apply(gate).mul_(dx);
        return new Tensor[] {function.gradient(gate, dx.mul_(up)), dup};
    }

    /** {@code a + b} in the type of a, the wider one. */
    public static Tensor add(Tensor a, Tensor b) {
        if (takes(a) && takes(b) && sameShape(a, b)) {
            Tensor x = a.contiguous();
            Tensor other = b.contiguous();
            Tensor y = Tensors.empty(a.scalar_type(), Tensors.shape(a));
            Kernels.add(at(x), flag(x), at(other), flag(other), at(y), y.numel());
            return y;
        }
        return Ops.to(a.add(b), a.scalar_type());
    }

    /** Adds b to a in place. */
    public static void addTo(Tensor a, Tensor b) {
        if (takes(a) && takes(b) && a.is_contiguous() && sameShape(a, b)) {
            Tensor other = b.contiguous();
            Kernels.addTo(at(a), flag(a), at(other), flag(other), a.numel());
        } else {
            a.add_(b);
        }
    }

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
                cos.size(0) == 1 ? 0 : seq * turned);
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
        boolean fits = mask == null || isOf(mask, scores.scalar_type()) && mask.stride(3) == 1;
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
                    mask == null || mask.size(0) == 1 ? 0 : mask.stride(0));
            return scores;
        }
        return null;
    }

    /** {@code P ⊙ (dP - Σ P ⊙ dP)}, the gradient of what the softmax P over the last dimension was made of, in place of dP where it can be. */
    public static Tensor softmaxBackward(Tensor gradient, Tensor probabilities) {
        boolean fits = isOf(gradient, probabilities.scalar_type()) && gradient.is_contiguous();
        if (takes(probabilities) && fits && probabilities.is_contiguous()) {
            Kernels.softmaxBackward(at(probabilities), at(gradient), flag(gradient), rows(gradient), gradient.size(-1));
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
                (float) scale);
        return to;
    }

    /** {@code scale x} of four dimensions, one value after another; with a gradient where x has one. */
    public static Tensor contiguous(Tensor x, double scale) {
        if (x.requires_grad()) {
            return (scale == 1 ? x : Ops.scale(x, scale)).contiguous();
        }
        Tensor y = Tensors.empty(x.scalar_type(), Tensors.shape(x));
        copy(x, y, scale);
        return y;
    }

    /** Writes {@code scale x} into y; both of one shape of four dimensions and of one type. */
    public static void copy(Tensor x, Tensor y, double scale) {
        boolean dense = x.stride(3) == 1 && y.stride(3) == 1;
        if (takes(x) && isOf(y, x.scalar_type()) && dense) {
            Kernels.copy(
                    at(x),
                    x.stride(0),
                    x.stride(1),
                    x.stride(2),
                    at(y),
                    y.stride(0),
                    y.stride(1),
                    y.stride(2),
                    flag(x),
                    x.size(0),
                    x.size(1),
                    x.size(2),
                    x.size(3),
                    (float) scale);
        } else {
            y.copy_(scale == 1 ? x : Ops.scale(x, scale));
        }
    }

    /** x in that type, for which no gradient is recorded; itself if it is of it. */
    public static Tensor cast(Tensor x, ScalarType type) {
        if (isOf(x, type) || !takes(x) || !takes(type) || !x.is_contiguous()) {
            return Ops.to(x, type);
        }
        Tensor y = Tensors.empty(type, Tensors.shape(x));
        Kernels.cast(at(x), flag(x), at(y), x.numel());
        return y;
    }

    /** x with that mask, in place or not; null where this isn't for it. */
    static @Nullable Tensor dropout(Tensor x, Dropout.Mask mask, boolean inPlace) {
        if (!takes(x) || inPlace && !x.is_contiguous()) {
            return null;
        }
        Tensor from = x.contiguous();
        Tensor y = inPlace ? x : Tensors.empty(x.scalar_type(), Tensors.shape(x));
        Kernels.dropout(at(from), at(y), flag(x), x.numel(), mask.state(), mask.bound(), mask.scale());
        return y;
    }

    /** The longest rows that {@link #postNorm} is for. */
    private static final long LONGEST = 4096;

    /**
     * {@code s = residual + mask ⊙ output} and its layer norm, in fp32.
     *
     * @param residual {@code [..., n]}
     * @param mask null for none
     * @return the norm and s; null where this isn't for them
     */
    public static Tensor @Nullable [] postNorm(
            Tensor residual,
            Tensor output,
            Tensor weight,
            @Nullable Tensor bias,
            double eps,
            Dropout.@Nullable Mask mask) {
        long n = weight.numel();
        boolean fits = isFloat(residual) && takes(output) && sameShape(residual, output) && n % 4 == 0 && n <= LONGEST;
        if (!fits || bias == null || !isFloat(weight) || !isFloat(bias)) {
            return null;
        }
        Tensor h = residual.contiguous();
        Tensor x = output.contiguous();
        Tensor sum = Tensors.empty(ScalarType.Float, Tensors.shape(h));
        Tensor y = Tensors.empty(ScalarType.Float, Tensors.shape(h));
        Kernels.postNorm(
                at(h),
                at(x),
                flag(x),
                at(weight.contiguous()),
                at(bias.contiguous()),
                at(sum),
                at(y),
                h.numel() / n,
                n,
                (float) eps,
                mask == null ? 0 : mask.state(),
                mask == null ? 0 : mask.bound(),
                mask == null ? 1 : mask.scale());
        return new Tensor[] {y, sum};
    }

    /**
     * Its gradients.
     *
     * @param sum s
     * @param gradient of the norm
     * @param residual gets the gradient of the residual, or has it added; null if it isn't wanted
     * @param output gets that of the output; null if it isn't wanted
     */
    public static void postNormBackward(
            Tensor sum,
            Tensor weight,
            double eps,
            Dropout.@Nullable Mask mask,
            Tensor gradient,
            @Nullable Tensor residual,
            boolean add,
            @Nullable Tensor output) {
        Tensor dy = Ops.to(gradient, ScalarType.Float).contiguous();
        long n = weight.numel();
        Kernels.postNormBackward(
                at(sum),
                at(weight.contiguous()),
                at(dy),
                residual == null ? 0 : at(residual),
                add ? 1 : 0,
                output == null ? 0 : at(output),
                output == null ? 0 : flag(output),
                sum.numel() / n,
                n,
                (float) eps,
                mask == null ? 0 : mask.state(),
                mask == null ? 0 : mask.bound(),
                mask == null ? 1 : mask.scale());
    }

    /**
     * Cross-entropy of logits {@code [rows, classes]}, whose gradient takes their place, times factor and their row's weight.
     *
     * @param labels {@code [rows]} int64
     * @param weights {@code [rows]} fp32
     * @return the loss of each row times its weight, fp32; null where this isn't for them, and nothing has changed
     */
    public static @Nullable Tensor crossEntropy(
            Tensor logits, Tensor labels, Tensor weights, double smoothing, double factor) {
        if (!takes(logits) || !logits.is_contiguous() || !isFloat(weights)) {
            return null;
        }
        for (long label : Tensors.longs(labels)) {
            if (label < 0 || label >= logits.size(1)) {
                throw new IllegalArgumentException("label " + label + " of " + logits.size(1) + " classes");
            }
        }
        Tensor losses = Tensors.empty(ScalarType.Float, logits.size(0));
        Kernels.crossEntropy(
                at(logits),
                flag(logits),
                at(labels.contiguous()),
                at(weights.contiguous()),
                at(losses),
                logits.size(0),
                logits.size(1),
                (float) smoothing,
                (float) factor);
        return losses;
    }

    private static boolean takes(Tensor x) {
        return takes(x.scalar_type()) && x.numel() > 0;
    }

    private static boolean takes(ScalarType type) {
        boolean known = type.value == ScalarType.Float.value || type.value == ScalarType.BFloat16.value;
        return known && Kernels.areAvailable();
    }

    private static boolean isFloat(Tensor x) {
        return isOf(x, ScalarType.Float);
    }

    private static boolean isOf(Tensor x, ScalarType type) {
        return x.scalar_type().value == type.value;
    }

    private static boolean sameShape(Tensor a, Tensor b) {
        return a.numel() == b.numel() && a.dim() == b.dim();
    }

    private static long rows(Tensor x) {
        return x.numel() / x.size(-1);
    }

    /** x, or a copy, whose rows are equally far from one another: parts of the rows of a wider tensor are. */
    private static Tensor inRows(Tensor x) {
        boolean texts = x.dim() == 3 && x.size(1) == 1 && x.stride(2) == 1;
        return texts ? x : x.contiguous();
    }

    /** How many values behind a row's first one that of the next row stands. */
    private static long next(Tensor x) {
        return x.is_contiguous() ? x.size(-1) : x.stride(0);
    }

    private static int flag(Tensor x) {
        return isOf(x, ScalarType.BFloat16) ? 1 : 0;
    }

    private static long at(Tensor x) {
        return x.data_ptr().address();
    }
}
