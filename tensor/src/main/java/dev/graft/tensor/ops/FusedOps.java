package dev.graft.tensor.ops;

import static dev.graft.tensor.internal.kernels.Kernels.address;
import static dev.graft.tensor.internal.kernels.Kernels.bf16Flag;
import static dev.graft.tensor.internal.kernels.Kernels.isFloat;
import static dev.graft.tensor.internal.kernels.Kernels.isOf;
import static dev.graft.tensor.internal.kernels.Kernels.rows;
import static dev.graft.tensor.internal.kernels.Kernels.sameShape;
import static dev.graft.tensor.internal.kernels.Kernels.supports;
import static dev.graft.tensor.internal.kernels.Kernels.threads;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.kernels.Kernels;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Operations in one pass over memory where libtorch needs several ({@code src/main/native}), for fp32 and bf16 tensors; sums and functions are in
 * fp32. The result of a row doesn't depend on other rows, to the last bit. No gradient is recorded. Methods return null, or use libtorch, for
 * other types and for processors without loops.
 */
public final class FusedOps {
    private FusedOps() {}

    /** Returns the kind of processor that the loops in use were compiled for; null if libtorch replaces them. */
    public static @Nullable String processor() {
        return Kernels.LOADED.processor();
    }

    /** Returns why the loops couldn't be loaded; null if they were, or if there are none for this platform. */
    public static @Nullable String loadProblem() {
        return Kernels.LOADED.problem();
    }

    /** The functions of gates, in the order of the loops' numbers. */
    public enum GateFunction {
        SILU,
        GELU
    }

    /**
     * Returns {@code f(gate) ⊙ up}, or {@code f(gate)} if up is null; both {@code [..., n]} and of one type. Null if the loops don't support the
     * operands.
     */
    public static @Nullable Tensor gate(GateFunction function, Tensor gate, @Nullable Tensor up) {
        if (supports(gate) && (up == null || isOf(up, gate.scalar_type()))) {
            Tensor g = inRows(gate);
            Tensor u = up == null ? null : inRows(up);
            Tensor x = Tensors.empty(g.scalar_type(), Tensors.shape(g));
            Kernels.gate(
                    function.ordinal(),
                    bf16Flag(g),
                    address(g),
                    next(g),
                    u == null ? 0 : address(u),
                    u == null ? 0 : next(u),
                    address(x),
                    rows(g),
                    g.size(-1),
                    threads(g.numel()));
            Kernels.keepAlive(g, u, x);
            return x;
        }
        return null;
    }

    /**
     * Returns the gradients of gate and, if there is one, of up.
     *
     * @param dx the gradient of {@link #gate}'s result, of its type; it is overwritten
     * @return null if the loops don't support the operands, which are then unchanged
     */
    public static Tensor @Nullable [] gateBackward(GateFunction function, Tensor gate, @Nullable Tensor up, Tensor dx) {
        ScalarType type = gate.scalar_type();
        if (supports(gate) && isOf(dx, type) && dx.is_contiguous() && (up == null || isOf(up, type))) {
            Tensor g = gate.contiguous();
            Tensor other = up == null ? null : up.contiguous();
            Tensor dup = up == null ? null : Tensors.empty(type, Tensors.shape(g));
            Kernels.gateBackward(
                    function.ordinal(),
                    bf16Flag(g),
                    address(g),
                    other == null ? 0 : address(other),
                    address(dx),
                    dup == null ? 0 : address(dup),
                    rows(g),
                    g.size(-1),
                    threads(g.numel()));
            Kernels.keepAlive(g, other, dx, dup);
            return dup == null ? new Tensor[] {dx} : new Tensor[] {dx, dup};
        }
        return null;
    }

    /** Returns {@code a + b} in the type of a, the wider one. */
    public static Tensor add(Tensor a, Tensor b) {
        if (supports(a) && supports(b) && sameShape(a, b)) {
            Tensor x = a.contiguous();
            Tensor other = b.contiguous();
            Tensor y = Tensors.empty(a.scalar_type(), Tensors.shape(a));
            Kernels.add(
                    address(x),
                    bf16Flag(x),
                    address(other),
                    bf16Flag(other),
                    address(y),
                    y.numel(),
                    threads(y.numel()));
            Kernels.keepAlive(x, other, y);
            return y;
        }
        return Ops.to(a.add(b), a.scalar_type());
    }

    /** Adds b to a in place. */
    public static void addTo(Tensor a, Tensor b) {
        if (supports(a) && supports(b) && a.is_contiguous() && sameShape(a, b)) {
            Tensor other = b.contiguous();
            Kernels.addTo(address(a), bf16Flag(a), address(other), bf16Flag(other), a.numel(), threads(a.numel()));
            Kernels.keepAlive(a, other);
        } else {
            a.add_(b);
        }
    }

    /** Returns {@code scale x} of four dimensions in contiguous memory; with a gradient if x has one. */
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

    /** Writes {@code scale x} into y; both have one shape of four dimensions and one type. */
    public static void copy(Tensor x, Tensor y, double scale) {
        boolean dense = x.stride(3) == 1 && y.stride(3) == 1;
        if (supports(x) && isOf(y, x.scalar_type()) && dense) {
            Kernels.copy(
                    address(x),
                    x.stride(0),
                    x.stride(1),
                    x.stride(2),
                    address(y),
                    y.stride(0),
                    y.stride(1),
                    y.stride(2),
                    bf16Flag(x),
                    x.size(0),
                    x.size(1),
                    x.size(2),
                    x.size(3),
                    (float) scale,
                    threads(x.numel()));
            Kernels.keepAlive(x, y);
        } else {
            y.copy_(scale == 1 ? x : Ops.scale(x, scale));
        }
    }

    /** Returns x in that type, itself if it already has it. Records no gradient. */
    public static Tensor cast(Tensor x, ScalarType type) {
        if (isOf(x, type) || !supports(x) || !supports(type) || !x.is_contiguous()) {
            return Ops.to(x, type);
        }
        Tensor y = Tensors.empty(type, Tensors.shape(x));
        Kernels.cast(address(x), bf16Flag(x), address(y), x.numel(), threads(x.numel()));
        Kernels.keepAlive(x, y);
        return y;
    }

    /**
     * Writes the values of codes to a tensor; false, with nothing written, if the loops don't support the operands.
     *
     * @param codes int8 {@code [rows, columns]}
     * @param scales fp32 {@code [rows]}
     * @param into fp32 or bf16 {@code [rows, columns]}
     */
    public static boolean decodeInt8(Tensor codes, Tensor scales, Tensor into) {
        if (!supports(into)
                || !isOf(codes, ScalarType.Char)
                || !isOf(scales, ScalarType.Float)
                || !sameShape(codes, into)
                || scales.numel() != codes.size(0)
                || !codes.is_contiguous()
                || !scales.is_contiguous()
                || !into.is_contiguous()) {
            return false;
        }
        Kernels.decodeInt8(
                address(codes),
                address(scales),
                address(into),
                bf16Flag(into),
                codes.size(0),
                codes.size(1),
                threads(codes.numel()));
        Kernels.keepAlive(codes, scales, into);
        return true;
    }

    /** Returns whether all of x's values are finite. */
    public static boolean isFinite(Tensor x) {
        if (!supports(x) || !x.is_contiguous()) {
            return x.isfinite().all().item_bool();
        }
        boolean finite = Kernels.finite(address(x), bf16Flag(x), x.numel()) != 0;
        Kernels.keepAlive(x);
        return finite;
    }

    /**
     * Computes the cross-entropy of logits {@code [rows, classes]} and overwrites them with their gradient, times factor and the row's weight.
     *
     * @param labels {@code [rows]} int64
     * @param weights {@code [rows]} fp32
     * @return the loss of each row times its weight, {@code [rows]} fp32; null if the loops don't support the operands, which are then unchanged
     */
    public static @Nullable Tensor crossEntropy(
            Tensor logits, Tensor labels, Tensor weights, double smoothing, double factor) {
        if (!supports(logits) || !logits.is_contiguous() || !isFloat(weights) || !weights.is_contiguous()) {
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
                address(logits),
                bf16Flag(logits),
                address(index),
                address(weights),
                address(losses),
                logits.size(0),
                logits.size(1),
                (float) smoothing,
                (float) factor,
                threads(logits.numel()));
        Kernels.keepAlive(logits, index, weights, losses);
        return losses;
    }

    /** x, or a copy, whose rows are equally far from one another: parts of the rows of a wider tensor are. */
    private static Tensor inRows(Tensor x) {
        boolean even = x.dim() == 3
                && x.stride(2) == 1
                && (x.size(1) == 1 || x.size(0) == 1 || x.stride(0) == x.size(1) * x.stride(1));
        return even ? x : x.contiguous();
    }

    /** Returns the distance from one row's first value to the next row's. */
    private static long next(Tensor x) {
        return x.is_contiguous() ? x.size(-1) : x.size(1) == 1 ? x.stride(0) : x.stride(1);
    }
}
