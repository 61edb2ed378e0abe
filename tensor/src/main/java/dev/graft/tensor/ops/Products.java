package dev.graft.tensor.ops;

import dev.graft.tensor.Cpu;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.onednn.OneDnn;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Matrix products by the fastest implementation that supports the operands: the loops in C++ ({@code Bf16Products}), oneDNN ({@code OneDnn}) or
 * libtorch. Only {@link #linear} records a gradient.
 */
public final class Products {
    /** Fewer multiplications take a microsecond; compiling a product for its shape takes hundreds. */
    private static final long WORTH_COMPILING = 1 << 18;

    private Products() {}

    /**
     * Returns {@code sum + x Wᵀ + b}, {@code [..., out]}, rounded once. Adding a small update to a rounded bf16 product would mostly lose it,
     * since it is below the product's last bit. While autograd records, or without bf16 products in the processor, the bias is added afterwards.
     *
     * @param x {@code [..., in]}
     * @param sum {@code [..., out]}, or null for nothing
     */
    public static Tensor linear(Tensor x, Tensor weight, @Nullable Tensor bias, @Nullable Tensor sum) {
        if (sum == null) {
            return Ops.linear(x, weight, bias);
        }
        if (x.scalar_type().value != ScalarType.BFloat16.value) {
            return Ops.linear(x, weight, bias).add_(sum);
        }
        boolean learns = x.requires_grad()
                || sum.requires_grad()
                || weight.requires_grad()
                || (bias != null && bias.requires_grad());
        if (Cpu.hasBf16() && !learns && x.numel() > 0) {
            return TorchOperator.linearPlus(sum, x, weight, bias);
        }
        Tensor y = sum.reshape(-1, weight.size(0))
                .addmm(x.reshape(-1, weight.size(1)), weight.t())
                .view(Tensors.shape(sum));
        return bias == null ? y : y.add(bias);
    }

    /**
     * Returns {@code sum + a b + bias} of a training step, rounded once, without recording a gradient. Large products call oneDNN directly, which
     * takes less time than through libtorch.
     *
     * @param a {@code [rows, in]}
     * @param b {@code [in, out]}
     * @param bias {@code [out]}, or null for nothing
     * @param sum {@code [rows, out]}, added to in place; null for a new result
     */
    public static Tensor product(Tensor a, Tensor b, @Nullable Tensor bias, @Nullable Tensor sum) {
        if (Bf16Products.supports(a, b)) {
            return Bf16Products.product(a, b, bias, sum);
        }
        if (isWorthCompiling(a, b) && (sum == null || OneDnn.canAddTo(sum))) {
            return OneDnn.product(a, b, bias, sum);
        }
        if (bias == null) {
            return sum == null ? a.matmul(b) : sum.addmm_(a, b);
        }
        return sum == null ? Ops.linear(a, b.t(), bias) : sum.copy_(linear(a, b.t(), bias, sum));
    }

    /**
     * Adds {@code a b} to a sum in place, without recording a gradient.
     *
     * @param sum {@code [rows, out]}, fp32 or of the type of a and b; fp32 sums aren't rounded
     * @param a {@code [rows, in]}
     * @param b {@code [in, out]}
     */
    public static void addProduct(Tensor sum, Tensor a, Tensor b) {
        if (Bf16Products.supports(a, b)) {
            Bf16Products.product(a, b, null, sum);
        } else if (isWorthCompiling(a, b) && OneDnn.canAddTo(sum)) {
            OneDnn.product(a, b, null, sum);
        } else {
            sum.addmm_(Ops.to(a, sum.scalar_type()), Ops.to(b, sum.scalar_type()));
        }
    }

    /** Returns {@code a b}, without recording a gradient. */
    public static Tensor product(Tensor a, Tensor b) {
        return product(a, b, null, null);
    }

    /**
     * Returns the products {@code a b} of a training step, without recording a gradient: a {@code [n, m, rows, in]}, b {@code [n, m, in, out]}.
     */
    public static Tensor products(Tensor a, Tensor b) {
        boolean tiles = Bf16Products.supports(a, b);
        if (!tiles && !isWorthCompiling(a, b)) {
            return a.matmul(b);
        }
        try (Scope scope = new Scope()) {
            Tensor y = tiles
                    ? Bf16Products.products(a.flatten(0, 1), b.flatten(0, 1))
                    : OneDnn.products(a.flatten(0, 1), b.flatten(0, 1));
            return scope.keep(y.unflatten(0, a.size(0), a.size(1)));
        }
    }

    /** Returns whether {@link #product} adds products of bf16 x {@code [..., in]} to sums in fp32. */
    public static boolean sumsInFp32(Tensor x) {
        return Bf16Products.supports(x, x);
    }

    private static boolean isWorthCompiling(Tensor a, Tensor b) {
        boolean bf16 = a.scalar_type().value == ScalarType.BFloat16.value && Cpu.hasBf16();
        return bf16 && a.numel() * b.size(-1) >= WORTH_COMPILING;
    }

    /** Returns the products of a {@code [n, rows, in]} and b {@code [n, in, out]}, without recording a gradient. */
    public static Tensor batched(Tensor a, Tensor b) {
        return a.scalar_type().value == ScalarType.BFloat16.value && Cpu.hasBf16() ? OneDnn.batched(a, b) : a.bmm(b);
    }
}
