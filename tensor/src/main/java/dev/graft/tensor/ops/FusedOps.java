package dev.graft.tensor.ops;

import static dev.graft.tensor.internal.kernels.Kernels.isFloat;
import static dev.graft.tensor.internal.kernels.Kernels.isOf;
import static dev.graft.tensor.internal.kernels.Kernels.rows;
import static dev.graft.tensor.internal.kernels.Kernels.sameShape;
import static dev.graft.tensor.internal.kernels.Kernels.supports;
import static dev.graft.tensor.internal.kernels.Kernels.threads;

import dev.graft.tensor.Ops;
import dev.graft.tensor.TensorException;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.kernels.Kernels;
import dev.graft.tensor.internal.kernels.Operand;
import java.util.Arrays;
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
            requireSame("up", up, gate);
            Tensor x = Tensors.empty(gate.scalar_type(), Tensors.shape(gate));
            Operand g = inRows("gate", gate);
            Operand u = up == null ? null : inRows("up", up);
            Operand to = Operand.flat("the result", x, gate.scalar_type(), gate.numel());
            gate(
                    function.ordinal(),
                    g.bf16(),
                    g.address(),
                    g.stride(0),
                    Operand.address(u),
                    u == null ? 0 : u.stride(0),
                    to.address(),
                    rows(gate),
                    gate.size(-1),
                    threads(gate.numel()));
            Operand.keepAlive(g, u, to);
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
            requireSame("up", up, gate);
            requireSame("dx", dx, gate);
            long n = gate.numel();
            Tensor dup = up == null ? null : Tensors.empty(type, Tensors.shape(gate));
            Operand g = Operand.flat("gate", gate.contiguous(), type, n);
            Operand other = up == null ? null : Operand.flat("up", up.contiguous(), type, n);
            Operand gradient = Operand.flat("dx", dx, type, n);
            Operand its = dup == null ? null : Operand.flat("the gradient of up", dup, type, n);
            gateBackward(
                    function.ordinal(),
                    g.bf16(),
                    g.address(),
                    Operand.address(other),
                    gradient.address(),
                    Operand.address(its),
                    rows(gate),
                    gate.size(-1),
                    threads(n));
            Operand.keepAlive(g, other, gradient, its);
            return dup == null ? new Tensor[] {dx} : new Tensor[] {dx, dup};
        }
        return null;
    }

    /** Returns {@code a + b} in the type of a, the wider one. */
    public static Tensor add(Tensor a, Tensor b) {
        if (supports(a) && supports(b) && sameShape(a, b)) {
            long n = a.numel();
            Tensor y = Tensors.empty(a.scalar_type(), Tensors.shape(a));
            Operand x = Operand.flat("a", a.contiguous(), a.scalar_type(), n);
            Operand other = Operand.flat("b", b.contiguous(), b.scalar_type(), n);
            Operand sum = Operand.flat("the sum", y, a.scalar_type(), n);
            add(x.address(), x.bf16(), other.address(), other.bf16(), sum.address(), n, threads(n));
            Operand.keepAlive(x, other, sum);
            return y;
        }
        return Ops.to(a.add(b), a.scalar_type());
    }

    /** Adds b to a in place. */
    public static void addTo(Tensor a, Tensor b) {
        if (supports(a) && supports(b) && a.is_contiguous() && sameShape(a, b)) {
            long n = a.numel();
            Operand sum = Operand.flat("a", a, a.scalar_type(), n);
            Operand other = Operand.flat("b", b.contiguous(), b.scalar_type(), n);
            addTo(sum.address(), sum.bf16(), other.address(), other.bf16(), n, threads(n));
            Operand.keepAlive(sum, other);
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
            long[] shape = Tensors.shape(x);
            Operand from = Operand.strided("x", x, x.scalar_type(), shape);
            Operand to = Operand.strided("y", y, x.scalar_type(), shape);
            copy(
                    from.address(),
                    from.stride(0),
                    from.stride(1),
                    from.stride(2),
                    to.address(),
                    to.stride(0),
                    to.stride(1),
                    to.stride(2),
                    from.bf16(),
                    shape[0],
                    shape[1],
                    shape[2],
                    shape[3],
                    (float) scale,
                    threads(x.numel()));
            Operand.keepAlive(from, to);
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
        cast(Operand.flat("x", x, x.scalar_type(), x.numel()), y, threads(x.numel()));
        return y;
    }

    /** Converts values of one of the two types to those of a contiguous tensor of the other. */
    static void cast(Operand from, Tensor into, int threads) {
        Operand to = Operand.flat("the values", into, into.scalar_type(), into.numel());
        cast(from.address(), from.bf16(), to.address(), into.numel(), threads);
        Operand.keepAlive(from, to);
    }

    /**
     * Writes the values of codes to a tensor; false, with nothing written, if the loops don't support the operands.
     *
     * @param codes int8 {@code [rows, columns]}
     * @param scales fp32 {@code [rows]}
     * @param into fp32 or bf16 {@code [rows, columns]}
     */
    public static boolean decodeInt8(Tensor codes, Tensor scales, Tensor into) {
        if (!supports(into) || !isOf(codes, ScalarType.Char) || !isOf(scales, ScalarType.Float)) {
            return false;
        }
        long n = codes.numel();
        Operand from = Operand.flat("codes", codes, ScalarType.Char, n);
        Operand factors = Operand.flat("scales", scales, ScalarType.Float, codes.size(0));
        Operand to = Operand.flat("into", into, into.scalar_type(), n);
        decodeInt8(
                from.address(), factors.address(), to.address(), to.bf16(), codes.size(0), codes.size(1), threads(n));
        Operand.keepAlive(from, factors, to);
        return true;
    }

    /** Returns whether all of x's values are finite. */
    public static boolean isFinite(Tensor x) {
        if (!supports(x) || !x.is_contiguous()) {
            return x.isfinite().all().item_bool();
        }
        Operand values = Operand.flat("x", x, x.scalar_type(), x.numel());
        boolean finite = finite(values.address(), values.bf16(), x.numel()) != 0;
        Operand.keepAlive(values);
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
        long rows = logits.size(0);
        long classes = logits.size(1);
        for (long label : Tensors.longs(labels)) {
            if (label < 0 || label >= classes) {
                throw new TensorException("label " + label + " of " + classes + " classes");
            }
        }
        Tensor losses = Tensors.empty(ScalarType.Float, rows);
        Operand x = Operand.flat("logits", logits, logits.scalar_type(), rows * classes);
        Operand index = Operand.flat("labels", labels.contiguous(), ScalarType.Long, rows);
        Operand factors = Operand.flat("weights", weights, ScalarType.Float, rows);
        Operand to = Operand.flat("losses", losses, ScalarType.Float, rows);
        crossEntropy(
                x.address(),
                x.bf16(),
                index.address(),
                factors.address(),
                to.address(),
                rows,
                classes,
                (float) smoothing,
                (float) factor,
                threads(logits.numel()));
        Operand.keepAlive(x, index, factors, to);
        return losses;
    }

    /** Describes x, or a copy, as {@code [rows, n]}, whose rows are equally far from one another: parts of the rows of a wider tensor are. */
    private static Operand inRows(String name, Tensor x) {
        long n = x.size(-1);
        boolean apart = x.dim() == 3 && x.stride(2) == 1 && !x.is_contiguous();
        if (apart && x.size(0) == 1) {
            return Operand.strided(name, x.select(0, 0), x.scalar_type(), x.size(1), n);
        }
        if (apart && (x.size(1) == 1 || x.stride(0) == x.size(1) * x.stride(1))) {
            return Operand.strided(name, x.flatten(0, 1), x.scalar_type(), rows(x), n);
        }
        return Operand.strided(name, x.contiguous().view(-1, n), x.scalar_type(), rows(x), n);
    }

    private static void requireSame(String name, @Nullable Tensor x, Tensor as) {
        if (x != null && !sameShape(x, as)) {
            throw new TensorException(name + " is " + Arrays.toString(Tensors.shape(x)) + ", expected "
                    + Arrays.toString(Tensors.shape(as)));
        }
    }

    /**
     * Computes {@code x = f(gate) ⊙ up} of rows of n values.
     *
     * @param nextGate the distance from one row's first value to the next row's
     * @param up 0 for none
     */
    private static native void gate(
            int function,
            int bf16,
            long gate,
            long nextGate,
            long up,
            long nextUp,
            long x,
            long rows,
            long n,
            int threads);

    /** Writes the gradient of the gate over dx. */
    private static native void gateBackward(
            int function, int bf16, long gate, long up, long dx, long dup, long rows, long n, int threads);

    /** @param y has the type of a */
    private static native void add(long a, int aBf16, long b, int bBf16, long y, long n, int threads);

    private static native void addTo(long a, int aBf16, long b, int bBf16, long n, int threads);

    /** Computes {@code y = scale x} of {@code [a, b, c, n]}, whose first three dimensions have these strides. */
    private static native void copy(
            long x,
            long xA,
            long xB,
            long xC,
            long y,
            long yA,
            long yB,
            long yC,
            int bf16,
            long a,
            long b,
            long c,
            long n,
            float scale,
            int threads);

    /** Converts between the two types. */
    private static native void cast(long x, int xBf16, long y, long n, int threads);

    /** Computes the values of int8 codes with an fp32 scale for each row. */
    private static native void decodeInt8(
            long codes, long scales, long y, int bf16, long rows, long columns, int threads);

    /** Returns 1 if all values are finite. */
    private static native int finite(long x, int bf16, long n);

    /**
     * Computes the cross-entropy of logits x {@code [rows, n]}: {@code losses[row]} times the row's weight. Overwrites the logits with the
     * gradient, times factor and the row's weight.
     *
     * @param labels int64
     */
    private static native void crossEntropy(
            long x,
            int bf16,
            long labels,
            long weights,
            long losses,
            long rows,
            long n,
            float smoothing,
            float factor,
            int threads);
}
