package dev.graft.tensor.ops;

import static dev.graft.tensor.internal.kernels.Kernels.address;
import static dev.graft.tensor.internal.kernels.Kernels.bf16Flag;
import static dev.graft.tensor.internal.kernels.Kernels.isFloat;
import static dev.graft.tensor.internal.kernels.Kernels.isOf;
import static dev.graft.tensor.internal.kernels.Kernels.sameShape;
import static dev.graft.tensor.internal.kernels.Kernels.supports;
import static dev.graft.tensor.internal.kernels.Kernels.threads;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.kernels.Kernels;
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
            long n = weight.numel();
            Tensor x = h.contiguous();
            Tensor w = weight.contiguous();
            Tensor y = Tensors.empty(type, Tensors.shape(h));
            Kernels.rmsNorm(
                    address(x),
                    bf16Flag(x),
                    address(w),
                    address(y),
                    bf16Flag(y),
                    x.numel() / n,
                    n,
                    (float) eps,
                    threads(x.numel()));
            Kernels.keepAlive(x, w, y);
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
            long n = weight.numel();
            Tensor x = h.contiguous();
            Tensor w = weight.contiguous();
            Tensor dy = gradient.contiguous();
            Tensor dh = sum == null ? Tensors.empty(h.scalar_type(), Tensors.shape(h)) : sum;
            Kernels.rmsNormBackward(
                    address(x),
                    bf16Flag(x),
                    address(w),
                    address(dy),
                    bf16Flag(dy),
                    address(dh),
                    sum == null ? 0 : 1,
                    x.numel() / n,
                    n,
                    (float) eps,
                    threads(x.numel()));
            Kernels.keepAlive(x, w, dy, dh);
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
        Tensor rows = x.contiguous();
        Tensor y = Tensors.empty(ScalarType.Float, Tensors.shape(x));
        long n = weight.numel();
        Kernels.layerNorm(
                address(rows),
                address(weight),
                address(bias),
                address(y),
                x.numel() / n,
                n,
                (float) eps,
                threads(x.numel()));
        Kernels.keepAlive(rows, weight, bias, y);
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
        Tensor h = residual.contiguous();
        Tensor x = output.contiguous();
        Tensor sum = Tensors.empty(ScalarType.Float, Tensors.shape(h));
        Tensor y = Tensors.empty(ScalarType.Float, Tensors.shape(h));
        Kernels.postNorm(
                address(h),
                address(x),
                bf16Flag(x),
                address(weight),
                address(bias),
                address(sum),
                address(y),
                h.numel() / n,
                n,
                (float) eps,
                mask == null ? 0 : mask.state(),
                mask == null ? 0 : mask.bound(),
                mask == null ? 1 : mask.scale(),
                threads(h.numel()));
        Kernels.keepAlive(h, x, weight, bias, sum, y);
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
        Tensor dy = Ops.to(gradient, ScalarType.Float).contiguous();
        long n = weight.numel();
        Kernels.postNormBackward(
                address(sum),
                address(weight),
                address(dy),
                residual == null ? 0 : address(residual),
                add ? 1 : 0,
                output == null ? 0 : address(output),
                output == null ? 0 : bf16Flag(output),
                sum.numel() / n,
                n,
                (float) eps,
                mask == null ? 0 : mask.state(),
                mask == null ? 0 : mask.bound(),
                mask == null ? 1 : mask.scale(),
                threads(sum.numel()));
        Kernels.keepAlive(sum, weight, dy, residual, output);
    }
}
