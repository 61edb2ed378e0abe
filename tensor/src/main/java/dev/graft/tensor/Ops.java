package dev.graft.tensor;

import org.bytedeco.javacpp.BoolPointer;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** The operations that models and methods are written with, where libtorch's own signature is long-winded. */
public final class Ops {
    static {
        Natives.load();
    }

    private Ops() {}

    /** {@code x Wᵀ + b}: x {@code [..., in]}, weight {@code [out, in]}, bias {@code [out]} or null. */
    public static Tensor linear(Tensor x, Tensor weight, @Nullable Tensor bias) {
        return torch.linear(x, weight, optional(bias));
    }

    /**
     * {@code sum + x Wᵀ + b}, rounded once: a small update that is added to a rounded bf16 product is mostly lost, since it is less than the
     * product's last bit. Where autograd records it, or where the processor has no bf16 products, the bias is added afterwards.
     *
     * @param x {@code [..., in]}
     * @param sum {@code [..., out]}, or null for nothing
     */
    public static Tensor linear(Tensor x, Tensor weight, @Nullable Tensor bias, @Nullable Tensor sum) {
        if (sum == null) {
            return linear(x, weight, bias);
        }
        if (x.scalar_type().value != ScalarType.BFloat16.value) {
            return linear(x, weight, bias).add_(sum);
        }
        boolean learns = x.requires_grad()
                || sum.requires_grad()
                || weight.requires_grad()
                || (bias != null && bias.requires_grad());
        if (Cpu.hasBf16() && !learns && x.numel() > 0) {
            return Operator.linearPlus(sum, x, weight, bias);
        }
        Tensor y = sum.reshape(-1, weight.size(0))
                .addmm(x.reshape(-1, weight.size(1)), weight.t())
                .view(Tensors.shape(sum));
        return bias == null ? y : y.add(bias);
    }

    /** Fewer multiplications take a microsecond; compiling a product for its shape takes hundreds. */
    private static final long WORTH_COMPILING = 1 << 18;
    /**
     * {@code sum + a b + bias} of a training step, rounded once, for which no gradient is recorded. oneDNN is asked for a large one directly, which takes
     * less time than libtorch's asking.
     *
     * @param a {@code [rows, in]}
     * @param b {@code [in, out]}
     * @param bias {@code [out]}, or null for nothing
     * @param sum {@code [rows, out]}, added to in place; null for nothing, and the answer is new
     */
    public static Tensor product(Tensor a, Tensor b, @Nullable Tensor bias, @Nullable Tensor sum) {
        if (Tiles.takes(a, b)) {
            return Tiles.product(a, b, bias, sum);
        }
        if (isWorthCompiling(a, b) && (sum == null || OneDnn.takes(sum))) {
            return OneDnn.product(a, b, bias, sum);
        }
        if (bias == null) {
            return sum == null ? a.matmul(b) : sum.addmm_(a, b);
        }
        return sum == null ? linear(a, b.t(), bias) : sum.copy_(linear(a, b.t(), bias, sum));
    }

    /**
     * Adds {@code a b} to sums, for which no gradient is recorded.
     *
     * @param sum {@code [rows, out]}, fp32 or of the type of a and b; fp32 sums aren't rounded
     */
    public static void addProduct(Tensor sum, Tensor a, Tensor b) {
        if (Tiles.takes(a, b)) {
            Tiles.product(a, b, null, sum);
        } else if (isWorthCompiling(a, b) && OneDnn.takes(sum)) {
            OneDnn.product(a, b, null, sum);
        } else {
            sum.addmm_(to(a, sum.scalar_type()), to(b, sum.scalar_type()));
        }
    }

    /** {@code a b}, likewise. */
    public static Tensor product(Tensor a, Tensor b) {
        return product(a, b, null, null);
    }

    /** The products {@code a b} of a training step, likewise: a {@code [n, m, rows, in]}, b {@code [n, m, in, out]}. */
    public static Tensor products(Tensor a, Tensor b) {
        boolean tiles = Tiles.takes(a, b);
        if (!tiles && !isWorthCompiling(a, b)) {
            return a.matmul(b);
        }
        try (Scope scope = new Scope()) {
            Tensor y = tiles
                    ? Tiles.products(a.flatten(0, 1), b.flatten(0, 1))
                    : OneDnn.products(a.flatten(0, 1), b.flatten(0, 1));
            return scope.keep(y.unflatten(0, a.size(0), a.size(1)));
        }
    }

    /** Whether {@link #product} adds to sums in fp32 what it makes of x {@code [..., in]} in bf16. */
    public static boolean sumsInFp32(Tensor x) {
        return Tiles.takes(x, x);
    }

    private static boolean isWorthCompiling(Tensor a, Tensor b) {
        boolean bf16 = a.scalar_type().value == ScalarType.BFloat16.value && Cpu.hasBf16();
        return bf16 && a.numel() * b.size(-1) >= WORTH_COMPILING;
    }

    /** Products of a {@code [n, rows, in]} and b {@code [n, in, out]}, for which no gradient is recorded. */
    public static Tensor batched(Tensor a, Tensor b) {
        return a.scalar_type().value == ScalarType.BFloat16.value && Cpu.hasBf16() ? OneDnn.batched(a, b) : a.bmm(b);
    }

    /** A convolution of x {@code [batch, in, size...]} with kernels {@code [out, in / groups, kernel...]}. */
    public static Tensor convolution(
            Tensor x,
            Tensor kernels,
            @Nullable Tensor bias,
            long[] stride,
            long[] padding,
            long[] dilation,
            long groups) {
        long[] none = new long[stride.length];
        return torch.convolution(x, kernels, optional(bias), stride, padding, dilation, false, none, groups);
    }

    /**
     * {@code softmax(s · q kᵀ + mask) v}: queries {@code [batch, heads, queries, d]}, keys and values {@code [batch, heads, keys, d]}.
     *
     * @param mask {@code [batch or 1, heads or 1, queries or 1, keys]}, or null for nothing
     */
    public static Tensor attention(Tensor queries, Tensor keys, Tensor values, @Nullable Tensor mask, double scale) {
        return torch.scaled_dot_product_attention(
                queries, keys, values, optional(mask), 0, false, new DoubleOptional(scale), false);
    }

    /** Rows of a table {@code [n, d]} at ids {@code [...]}, giving {@code [..., d]}. */
    public static Tensor embedding(Tensor table, Tensor ids) {
        return torch.embedding(table, ids);
    }

    /** The same, where the row of the padding's id gets no gradient; -1 for none. */
    public static Tensor embedding(Tensor table, Tensor ids, long padding) {
        return torch.embedding(table, ids, padding, false, false);
    }

    /** Layer normalisation over the last dimension. */
    public static Tensor layerNorm(Tensor x, Tensor weight, @Nullable Tensor bias, double eps) {
        boolean learns = x.requires_grad() || weight.requires_grad() || (bias != null && bias.requires_grad());
        Tensor fused = learns ? null : FusedNorm.layerNorm(x, weight, bias, eps);
        if (fused != null) {
            return fused;
        }
        return torch.layer_norm(x, new long[] {weight.size(0)}, new TensorOptional(weight), optional(bias), eps, false);
    }

    /** The same, and what {@link #layerNormBackward} needs: the mean and 1 / √(variance + ε) of each row. */
    public static Tensor[] layerNormWithStatistics(Tensor x, Tensor weight, @Nullable Tensor bias, double eps) {
        var normed = torch.native_layer_norm(
                x, new long[] {weight.size(0)}, new TensorOptional(weight), optional(bias), eps);
        // Each with a handle of its own: those of the tuple end with it.
        return new Tensor[] {
            normed.get0().detach(), normed.get1().detach(), normed.get2().detach()
        };
    }

    /** The gradient of x. */
    public static Tensor layerNormBackward(
            Tensor gradient, Tensor x, Tensor weight, @Nullable Tensor bias, Tensor mean, Tensor deviation) {
        try (BoolPointer wanted = new BoolPointer(3)) {
            wanted.put(0, true).put(1, false).put(2, false);
            return torch.native_layer_norm_backward(
                            gradient,
                            x,
                            new long[] {weight.size(0)},
                            mean,
                            deviation,
                            new TensorOptional(weight),
                            optional(bias),
                            wanted)
                    .get0();
        }
    }

    /** Root-mean-square normalisation over the last dimension. */
    public static Tensor rmsNorm(Tensor x, Tensor weight, double eps) {
        return x.requires_grad() || weight.requires_grad()
                ? torch.rms_norm(x, new long[] {weight.size(0)}, new TensorOptional(weight), new DoubleOptional(eps))
                : FusedNorm.rmsNorm(x, weight, eps, x.scalar_type());
    }

    public static Tensor scale(Tensor x, double factor) {
        return x.mul(new Scalar(factor));
    }

    /** {@code a + factor · b}. */
    public static Tensor addScaled(Tensor a, Tensor b, double factor) {
        return a.add(b, new Scalar(factor));
    }

    public static Tensor plus(Tensor x, double value) {
        return x.add(new Scalar(value));
    }

    /** Adds a whole number to an integer tensor. */
    public static Tensor plusLong(Tensor x, long value) {
        return value == 0 ? x : x.add(new Scalar(value));
    }

    public static Tensor sum(Tensor x, long dim, boolean keep) {
        return x.sum(new long[] {dim}, keep, new ScalarTypeOptional());
    }

    public static Tensor mean(Tensor x, long dim, boolean keep) {
        return x.mean(new long[] {dim}, keep, new ScalarTypeOptional());
    }

    /** The Euclidean norm along one dimension. */
    public static Tensor norm(Tensor x, long dim, boolean keep) {
        return x.norm(new org.bytedeco.pytorch.ScalarOptional(new Scalar(2)), new long[] {dim}, keep);
    }

    /** {@code P ⊙ (dP - Σ P ⊙ dP)}: the gradient of what the softmax P over the last dimension was made of; summed in fp32. */
    public static Tensor softmaxBackward(Tensor gradient, Tensor probabilities) {
        return Operator.softmaxBackward(gradient, probabilities);
    }

    public static Tensor argmax(Tensor x, long dim) {
        return torch.argmax(x, new LongOptional(dim), false);
    }

    public static Tensor cat(long dim, Tensor... parts) {
        return torch.cat(new org.bytedeco.pytorch.TensorVector(parts), dim);
    }

    /** Sets elements to zero with probability p and scales the rest by 1 / (1 - p), in training only. */
    public static Tensor dropout(Tensor x, double p, boolean training) {
        if (!training || p == 0) {
            return x;
        }
        if (x.requires_grad()) {
            return x.mul(Dropout.mask(x.scalar_type(), p, Tensors.shape(x)));
        }
        Dropout.Mask mask = Dropout.draw(p, x);
        return mask == null ? x : mask.on(x);
    }

    /** The tensor in that type; itself if it is of that type. */
    public static Tensor to(Tensor x, ScalarType type) {
        return x.scalar_type().value == type.value ? x : x.to(type);
    }

    static TensorOptional optional(@Nullable Tensor tensor) {
        return tensor == null ? new TensorOptional() : new TensorOptional(tensor);
    }
}
