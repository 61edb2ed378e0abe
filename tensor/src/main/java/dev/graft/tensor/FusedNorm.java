package dev.graft.tensor;

import static dev.graft.tensor.Kernels.at;
import static dev.graft.tensor.Kernels.flag;
import static dev.graft.tensor.Kernels.isFloat;
import static dev.graft.tensor.Kernels.isOf;
import static dev.graft.tensor.Kernels.sameShape;
import static dev.graft.tensor.Kernels.takes;
import static dev.graft.tensor.Kernels.threads;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Norms and their gradients as {@link Fused} loops. */
public final class FusedNorm {
    private FusedNorm() {}

    /** Root-mean-square normalisation (Zhang and Sennrich, 2019) of h {@code [..., n]}, or of parts of n values of its rows: {@code w ⊙ h / √(mean h² + ε)} in that type. */
    public static Tensor rmsNorm(Tensor h, Tensor weight, double eps, ScalarType type) {
        if (takes(h) && isFloat(weight) && takes(type)) {
            long n = weight.numel();
            Tensor x = h.contiguous();
            Tensor w = weight.contiguous();
            Tensor y = Tensors.empty(type, Tensors.shape(h));
            Kernels.rmsNorm(at(x), flag(x), at(w), at(y), flag(y), x.numel() / n, n, (float) eps, threads(x.numel()));
            Kernels.keep(x, w, y);
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
            Tensor w = weight.contiguous();
            Tensor dy = gradient.contiguous();
            Tensor dh = sum == null ? Tensors.empty(h.scalar_type(), Tensors.shape(h)) : sum;
            Kernels.rmsNormBackward(
                    at(x),
                    flag(x),
                    at(w),
                    at(dy),
                    flag(dy),
                    at(dh),
                    sum == null ? 0 : 1,
                    x.numel() / n,
                    n,
                    (float) eps,
                    threads(x.numel()));
            Kernels.keep(x, w, dy, dh);
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

    /** The layer norm of x {@code [..., n]} in fp32, to the same bits as {@link #postNorm} gives; null where this isn't for it. */
    static @Nullable Tensor layerNorm(Tensor x, Tensor weight, @Nullable Tensor bias, double eps) {
        if (bias == null || !takes(x) || !isFloat(x) || !isFloat(weight) || !isFloat(bias)) {
            return null;
        }
        if (!weight.is_contiguous() || !bias.is_contiguous()) {
            return null;
        }
        Tensor rows = x.contiguous();
        Tensor y = Tensors.empty(ScalarType.Float, Tensors.shape(x));
        long n = weight.numel();
        Kernels.layerNorm(at(rows), at(weight), at(bias), at(y), x.numel() / n, n, (float) eps, threads(x.numel()));
        Kernels.keep(rows, weight, bias, y);
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
        boolean dense = weight.is_contiguous() && (bias == null || bias.is_contiguous());
        if (!fits || !dense || bias == null || !isFloat(weight) || !isFloat(bias)) {
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
                at(weight),
                at(bias),
                at(sum),
                at(y),
                h.numel() / n,
                n,
                (float) eps,
                mask == null ? 0 : mask.state(),
                mask == null ? 0 : mask.bound(),
                mask == null ? 1 : mask.scale(),
                threads(h.numel()));
        Kernels.keep(h, x, weight, bias, sum, y);
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
                at(weight),
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
                mask == null ? 1 : mask.scale(),
                threads(sum.numel()));
        Kernels.keep(sum, weight, dy, residual, output);
    }
}
