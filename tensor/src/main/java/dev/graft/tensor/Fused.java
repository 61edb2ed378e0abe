package dev.graft.tensor;

import static dev.graft.tensor.Kernels.at;
import static dev.graft.tensor.Kernels.flag;
import static dev.graft.tensor.Kernels.isFloat;
import static dev.graft.tensor.Kernels.isOf;
import static dev.graft.tensor.Kernels.rows;
import static dev.graft.tensor.Kernels.sameShape;
import static dev.graft.tensor.Kernels.takes;
import static dev.graft.tensor.Kernels.threads;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * What takes libtorch several passes over memory, in one ({@code src/main/native}), for tensors in fp32 and bf16; sums and functions are in fp32. A row is given
 * the same to the last bit whatever stands beside it. No gradient is recorded. Other types, and processors that the loops weren't compiled for, are left to
 * libtorch.
 */
public final class Fused {
    private Fused() {}

    /** Functions that gates are made with, in the order of the loops' numbers. */
    public enum Function {
        SILU,
        GELU
    }

    /** {@code f(gate) ⊙ up}, or {@code f(gate)} where up is null; both {@code [..., n]} and of one type. Null where this isn't for them. */
    public static @Nullable Tensor gate(Function function, Tensor gate, @Nullable Tensor up) {
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
                    g.size(-1),
                    threads(g.numel()));
            Kernels.keep(g, u, x);
            return x;
        }
        return null;
    }

    /**
     * The gradients of gate and, where there is one, of up.
     *
     * @param dx the gradient of what {@link #gate} gave, of its type; its values are gone afterwards
     * @return null where this isn't for them, and nothing has changed
     */
    public static Tensor @Nullable [] gateBackward(Function function, Tensor gate, @Nullable Tensor up, Tensor dx) {
        ScalarType type = gate.scalar_type();
        if (takes(gate) && isOf(dx, type) && dx.is_contiguous() && (up == null || isOf(up, type))) {
            Tensor g = gate.contiguous();
            Tensor other = up == null ? null : up.contiguous();
            Tensor dup = up == null ? null : Tensors.empty(type, Tensors.shape(g));
            Kernels.gateBackward(
                    function.ordinal(),
                    flag(g),
                    at(g),
                    other == null ? 0 : at(other),
                    at(dx),
                    dup == null ? 0 : at(dup),
                    rows(g),
                    g.size(-1),
                    threads(g.numel()));
            Kernels.keep(g, other, dx, dup);
            return dup == null ? new Tensor[] {dx} : new Tensor[] {dx, dup};
        }
        return null;
    }

    /** {@code a + b} in the type of a, the wider one. */
    public static Tensor add(Tensor a, Tensor b) {
        if (takes(a) && takes(b) && sameShape(a, b)) {
            Tensor x = a.contiguous();
            Tensor other = b.contiguous();
            Tensor y = Tensors.empty(a.scalar_type(), Tensors.shape(a));
            Kernels.add(at(x), flag(x), at(other), flag(other), at(y), y.numel(), threads(y.numel()));
            Kernels.keep(x, other, y);
            return y;
        }
        return Ops.to(a.add(b), a.scalar_type());
    }

    /** Adds b to a in place. */
    public static void addTo(Tensor a, Tensor b) {
        if (takes(a) && takes(b) && a.is_contiguous() && sameShape(a, b)) {
            Tensor other = b.contiguous();
            Kernels.addTo(at(a), flag(a), at(other), flag(other), a.numel(), threads(a.numel()));
            Kernels.keep(a, other);
        } else {
            a.add_(b);
        }
    }

    /** {@code scale x} of four dimensions, one value after another; with a gradient where x has one. */
    public static Tensor contiguous(Tensor x, double scale) {
        if (x.requires_grad()) {
            return (scale == 1 ? x : Ops.scale(x, scale)).contiguous();
        }
        if (scale == 1 && x.is_contiguous()) {
            return x;
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
                    (float) scale,
                    threads(x.numel()));
            Kernels.keep(x, y);
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
        Kernels.cast(at(x), flag(x), at(y), x.numel(), threads(x.numel()));
        Kernels.keep(x, y);
        return y;
    }

    /** Whether none of x's values is infinite or not a number. */
    public static boolean isFinite(Tensor x) {
        if (!takes(x) || !x.is_contiguous()) {
            return x.isfinite().all().item_bool();
        }
        boolean finite = Kernels.finite(at(x), flag(x), x.numel()) != 0;
        Kernels.keep(x);
        return finite;
    }

    /** x with that mask, in place or not; null where this isn't for it. */
    static @Nullable Tensor dropout(Tensor x, Dropout.Mask mask, boolean inPlace) {
        if (!takes(x) || inPlace && !x.is_contiguous()) {
            return null;
        }
        Tensor from = x.contiguous();
        Tensor y = inPlace ? x : Tensors.empty(x.scalar_type(), Tensors.shape(x));
        Kernels.dropout(
                at(from), at(y), flag(x), x.numel(), mask.state(), mask.bound(), mask.scale(), threads(x.numel()));
        Kernels.keep(from, y);
        return y;
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
        if (!takes(logits) || !logits.is_contiguous() || !isFloat(weights) || !weights.is_contiguous()) {
            return null;
        }
        for (long label : Tensors.longs(labels)) {
            if (label < 0 || label >= logits.size(1)) {
                throw new IllegalArgumentException("label " + label + " of " + logits.size(1) + " classes");
            }
        }
        Tensor index = labels.contiguous();
        Tensor losses = Tensors.empty(ScalarType.Float, logits.size(0));
        Kernels.crossEntropy(
                at(logits),
                flag(logits),
                at(index),
                at(weights),
                at(losses),
                logits.size(0),
                logits.size(1),
                (float) smoothing,
                (float) factor,
                threads(logits.numel()));
        Kernels.keep(logits, index, weights, losses);
        return losses;
    }

    /** x, or a copy, whose rows are equally far from one another: parts of the rows of a wider tensor are. */
    private static Tensor inRows(Tensor x) {
        boolean even = x.dim() == 3
                && x.stride(2) == 1
                && (x.size(1) == 1 || x.size(0) == 1 || x.stride(0) == x.size(1) * x.stride(1));
        return even ? x : x.contiguous();
    }

    /** How many values behind a row's first one that of the next row stands. */
    private static long next(Tensor x) {
        return x.is_contiguous() ? x.size(-1) : x.size(1) == 1 ? x.stride(0) : x.stride(1);
    }
}
