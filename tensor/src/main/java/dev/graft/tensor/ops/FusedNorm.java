package dev.graft.tensor.ops;

import static dev.graft.tensor.internal.kernels.Kernels.isFloat;
import static dev.graft.tensor.internal.kernels.Kernels.isOf;
import static dev.graft.tensor.internal.kernels.Kernels.sameShape;
import static dev.graft.tensor.internal.kernels.Kernels.supports;
import static dev.graft.tensor.internal.kernels.Kernels.threads;

import dev.graft.tensor.Ops;
import dev.graft.tensor.TensorException;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.kernels.Operand;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Norms and their gradients as {@link FusedOps} loops. */
public final class FusedNorm {
    private FusedNorm() {}

    /**
     * Root-mean-square normalisation (Zhang and Sennrich, 2019) {@code w ⊙ h / √(mean h² + ε)} in that type. h is {@code [..., n]}, or has rows
     * of several parts of n values, each normalised alone. Records no gradient.
     */
    public static Tensor rmsNorm(Tensor h, Tensor weight, double eps, ScalarType type) {
        if (supports(h) && isFloat(weight) && supports(type)) {
            long n = length(h, weight);
            Tensor y = Tensors.empty(type, Tensors.shape(h));
            Operand x = Operand.flat("h", h.contiguous(), h.scalar_type(), h.numel());
            Operand w = Operand.flat("weight", weight.contiguous(), ScalarType.Float, n);
            Operand to = Operand.flat("the norm", y, type, h.numel());
            rmsNorm(
                    x.address(),
                    x.bf16(),
                    w.address(),
                    to.address(),
                    to.bf16(),
                    h.numel() / n,
                    n,
                    (float) eps,
                    threads(h.numel()));
            Operand.keepAlive(x, w, to);
            return y;
        }
        Tensor x = parts(h, weight);
        return Ops.to(x.mul(factor(x, eps)).mul_(weight).view(Tensors.shape(h)), type);
    }

    /**
     * Returns the gradient of h: with u = w ⊙ dy and r the factor of a row, {@code r u - r³ / n · (u · h) h}.
     *
     * @param sum the tensor of h's shape and type to add to in place; null for a new result
     */
    public static Tensor rmsNormBackward(Tensor h, Tensor weight, double eps, Tensor gradient, @Nullable Tensor sum) {
        boolean fits = sum == null || sum.is_contiguous() && isOf(sum, h.scalar_type());
        if (supports(h) && supports(gradient) && isFloat(weight) && fits) {
            long n = length(h, weight);
            Tensor dh = sum == null ? Tensors.empty(h.scalar_type(), Tensors.shape(h)) : sum;
            Operand x = Operand.flat("h", h.contiguous(), h.scalar_type(), h.numel());
            Operand w = Operand.flat("weight", weight.contiguous(), ScalarType.Float, n);
            Operand dy = Operand.flat("gradient", gradient.contiguous(), gradient.scalar_type(), h.numel());
            Operand to = Operand.flat("sum", dh, h.scalar_type(), h.numel());
            rmsNormBackward(
                    x.address(),
                    x.bf16(),
                    w.address(),
                    dy.address(),
                    dy.bf16(),
                    to.address(),
                    sum == null ? 0 : 1,
                    h.numel() / n,
                    n,
                    (float) eps,
                    threads(h.numel()));
            Operand.keepAlive(x, w, dy, to);
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

    /** Returns the number of values that a norm has in common, a part of a row of h or all of it. */
    private static long length(Tensor h, Tensor weight) {
        long n = weight.numel();
        if (n == 0 || h.size(-1) % n != 0) {
            throw new TensorException("a weight of " + n + " values doesn't fit rows of " + h.size(-1));
        }
        return n;
    }

    private static Tensor parts(Tensor h, Tensor weight) {
        long n = length(h, weight);
        return Ops.to(h, weight.scalar_type()).unflatten(-1, h.size(-1) / n, n);
    }

    private static Tensor factor(Tensor x, double eps) {
        return Ops.norm(x, -1, true)
                .square()
                .mul_(new Scalar(1.0 / x.size(-1)))
                .add_(new Scalar(eps))
                .rsqrt_();
    }

    /**
     * Root-mean-square normalisation of x {@code [..., n]} over the last dimension, with a gradient if an operand has one.
     */
    public static Tensor rmsNorm(Tensor x, Tensor weight, double eps) {
        return x.requires_grad() || weight.requires_grad()
                ? torch.rms_norm(x, new long[] {weight.size(0)}, new TensorOptional(weight), new DoubleOptional(eps))
                : rmsNorm(x, weight, eps, x.scalar_type());
    }

    /** Layer normalisation of x {@code [..., n]} over the last dimension, with a gradient if an operand has one. */
    public static Tensor layerNorm(Tensor x, Tensor weight, @Nullable Tensor bias, double eps) {
        boolean learns = x.requires_grad() || weight.requires_grad() || (bias != null && bias.requires_grad());
        Tensor fused = learns ? null : fusedLayerNorm(x, weight, bias, eps);
        if (fused != null) {
            return fused;
        }
        TensorOptional added = bias == null ? new TensorOptional() : new TensorOptional(bias);
        return torch.layer_norm(x, new long[] {weight.size(0)}, new TensorOptional(weight), added, eps, false);
    }

    /** The layer norm of x {@code [..., n]} in fp32, to the same bits as {@link #postNorm} gives; null where this isn't for it. */
    private static @Nullable Tensor fusedLayerNorm(Tensor x, Tensor weight, @Nullable Tensor bias, double eps) {
        if (bias == null || !supports(x) || !isFloat(x) || !isFloat(weight) || !isFloat(bias)) {
            return null;
        }
        if (!weight.is_contiguous() || !bias.is_contiguous()) {
            return null;
        }
        long n = length(x, weight);
        Tensor y = Tensors.empty(ScalarType.Float, Tensors.shape(x));
        Operand rows = Operand.flat("x", x.contiguous(), ScalarType.Float, x.numel());
        Operand w = Operand.flat("weight", weight, ScalarType.Float, n);
        Operand b = Operand.flat("bias", bias, ScalarType.Float, n);
        Operand to = Operand.flat("the norm", y, ScalarType.Float, x.numel());
        layerNorm(
                rows.address(),
                w.address(),
                b.address(),
                to.address(),
                x.numel() / n,
                n,
                (float) eps,
                threads(x.numel()));
        Operand.keepAlive(rows, w, b, to);
        return y;
    }

    /** The longest rows that {@link #postNorm} is for. */
    private static final long LONGEST = 4096;

    /**
     * {@code s = residual + mask ⊙ output} and its layer norm, in fp32.
     *
     * @param residual {@code [..., n]}
     * @param mask null for no dropout
     * @return the norm and s; null if the loops don't support the operands
     */
    public static Tensor @Nullable [] postNorm(
            Tensor residual,
            Tensor output,
            Tensor weight,
            @Nullable Tensor bias,
            double eps,
            Dropout.@Nullable Mask mask) {
        long n = weight.numel();
        boolean fits =
                isFloat(residual) && supports(output) && sameShape(residual, output) && n % 4 == 0 && n <= LONGEST;
        boolean dense = weight.is_contiguous() && (bias == null || bias.is_contiguous());
        if (!fits || !dense || bias == null || !isFloat(weight) || !isFloat(bias)) {
            return null;
        }
        length(residual, weight);
        long all = residual.numel();
        Tensor sum = Tensors.empty(ScalarType.Float, Tensors.shape(residual));
        Tensor y = Tensors.empty(ScalarType.Float, Tensors.shape(residual));
        Operand h = Operand.flat("residual", residual.contiguous(), ScalarType.Float, all);
        Operand x = Operand.flat("output", output.contiguous(), output.scalar_type(), all);
        Operand w = Operand.flat("weight", weight, ScalarType.Float, n);
        Operand b = Operand.flat("bias", bias, ScalarType.Float, n);
        Operand s = Operand.flat("the sum", sum, ScalarType.Float, all);
        Operand to = Operand.flat("the norm", y, ScalarType.Float, all);
        postNorm(
                h.address(),
                x.address(),
                x.bf16(),
                w.address(),
                b.address(),
                s.address(),
                to.address(),
                all / n,
                n,
                (float) eps,
                mask == null ? 0 : mask.state(),
                mask == null ? 0 : mask.bound(),
                mask == null ? 1 : mask.scale(),
                threads(all));
        Operand.keepAlive(h, x, w, b, s, to);
        return new Tensor[] {y, sum};
    }

    /**
     * Computes the gradients of {@link #postNorm}.
     *
     * @param sum s
     * @param gradient the gradient of the norm
     * @param residual receives the gradient of the residual, or has it added; null if it isn't needed
     * @param output receives the gradient of the output; null if it isn't needed
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
        long n = length(sum, weight);
        if (n % 4 != 0 || n > LONGEST) {
            throw new TensorException("rows of " + n + " values, expected a multiple of 4 up to " + LONGEST);
        }
        long all = sum.numel();
        Tensor dy = Ops.to(gradient, ScalarType.Float).contiguous();
        Operand s = Operand.flat("sum", sum, ScalarType.Float, all);
        Operand w = Operand.flat("weight", weight, ScalarType.Float, n);
        Operand d = Operand.flat("gradient", dy, ScalarType.Float, all);
        Operand dh = residual == null ? null : Operand.flat("residual", residual, ScalarType.Float, all);
        Operand dx = output == null ? null : Operand.values("output", output, all);
        postNormBackward(
                s.address(),
                w.address(),
                d.address(),
                Operand.address(dh),
                add ? 1 : 0,
                Operand.address(dx),
                dx == null ? 0 : dx.bf16(),
                all / n,
                n,
                (float) eps,
                mask == null ? 0 : mask.state(),
                mask == null ? 0 : mask.bound(),
                mask == null ? 1 : mask.scale(),
                threads(all));
        Operand.keepAlive(s, w, d, dh, dx);
    }

    private static native void rmsNorm(
            long h, int hBf16, long weight, long y, int yBf16, long rows, long n, float eps, int threads);

    /** @param sum whether the result is added to dh */
    private static native void rmsNormBackward(
            long h,
            int hBf16,
            long weight,
            long dy,
            int dyBf16,
            long dh,
            int sum,
            long rows,
            long n,
            float eps,
            int threads);

    /** Computes the layer norm y of rows x of n values, all in fp32. */
    private static native void layerNorm(
            long x, long weight, long bias, long y, long rows, long n, float eps, int threads);

    /**
     * Computes {@code s = h + mask ⊙ x} and the layer norm y of s, all in fp32 except x. n is a multiple of four and at most 4,096.
     */
    private static native void postNorm(
            long h,
            long x,
            int xBf16,
            long weight,
            long bias,
            long s,
            long y,
            long rows,
            long n,
            float eps,
            long state,
            int bound,
            float scale,
            int threads);

    /**
     * Computes the gradients of {@link #postNorm}.
     *
     * @param dh 0 if it isn't needed
     * @param sum whether the result is added to dh
     * @param dx 0 if it isn't needed
     */
    private static native void postNormBackward(
            long s,
            long weight,
            long dy,
            long dh,
            int sum,
            long dx,
            int dxBf16,
            long rows,
            long n,
            float eps,
            long state,
            int bound,
            float scale,
            int threads);
}
