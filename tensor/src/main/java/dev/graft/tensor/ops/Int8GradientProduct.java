package dev.graft.tensor.ops;

import dev.graft.tensor.Cpu;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.onednn.OneDnn;
import java.util.Arrays;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The product {@code g W} of a gradient and a frozen matrix in 8-bit integers. Each row of g is rounded to 255 steps of its own size, W once;
 * sums are exact. So the gradient for the layer below is off by about 1 %; outputs and the gradients of a layer's own parameters are not rounded.
 * The product takes half of bf16's time on AVX512-VNNI, and 0.6 with the rounding. SwitchBack does the same, also in the forward pass (Wortsman et
 * al., <i>Stable and low-precision training for large-scale vision-language models</i>, 2023, section 2).
 */
public final class Int8GradientProduct {
    private static final double LARGEST = 127;

    private final Tensor codes;
    private final @Nullable Tensor rowSteps;
    private final @Nullable Tensor columnSteps;

    private Int8GradientProduct(Tensor codes, @Nullable Tensor rowSteps, @Nullable Tensor columnSteps) {
        this.codes = codes;
        this.rowSteps = rowSteps;
        this.columnSteps = columnSteps;
    }

    /** Returns whether the processor supports it. */
    public static boolean isAvailable() {
        return Cpu.has("avx512bw");
    }

    /**
     * Returns whether it is faster than a product in bf16. Measured: it is with AVX512-VNNI, but not with AMX, which has products of both.
     */
    public static boolean isFaster() {
        return Cpu.has("avx512_vnni") && !Cpu.hasAmx();
    }

    /** Creates a product with a copy of W {@code [out, in]} in one byte per value, with a step size for each column. */
    public static Int8GradientProduct of(Tensor matrix) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor w = Ops.to(matrix, ScalarType.Float);
            Tensor steps = steps(w.abs().amax(new long[] {0}, true));
            Tensor codes = Ops.to(w.div(steps).round_(), ScalarType.Char).contiguous();
            return new Int8GradientProduct(scope.release(codes), null, scope.release(steps));
        }
    }

    /**
     * Creates a product with a W that is already in 8 bits.
     *
     * @param codes int8 {@code [out, in]}
     * @param absmax fp32 {@code [out]}, the value of code 127 in each row
     */
    public static Int8GradientProduct of(Tensor codes, Tensor absmax) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            return new Int8GradientProduct(
                    scope.release(codes.contiguous()), scope.release(absmax.div(new Scalar(LARGEST))), null);
        }
    }

    /**
     * Returns {@code sum + g W}; a row of the result depends on no other row.
     *
     * @param gradient g, bf16 or fp32 {@code [n, out]}
     * @param sum of the same type, {@code [n, in]}, added to in place; null for a new result
     */
    public Tensor times(Tensor gradient, @Nullable Tensor sum) {
        long rows = gradient.size(0);
        long columns = codes.size(1);
        if (gradient.size(1) != codes.size(0) || sum != null && sum.numel() != rows * columns) {
            throw new IllegalArgumentException("a gradient " + Arrays.toString(Tensors.shape(gradient))
                    + (sum == null ? "" : " and a sum " + Arrays.toString(Tensors.shape(sum)))
                    + " don't fit a matrix " + Arrays.toString(Tensors.shape(codes)));
        }
        if (sum != null && !sum.is_contiguous()) {
            try (Scope scope = new Scope()) {
                return sum.add_(times(gradient, null));
            }
        }
        Tensor y = sum == null ? Tensors.empty(gradient.scalar_type(), rows, columns) : sum;
        try (Scope scope = new Scope()) {
            Tensor scaled = rowSteps == null
                    ? gradient
                    : Ops.to(gradient, ScalarType.Float).mul(rowSteps);
            Tensor steps = steps(largest(scaled));
            Tensor rounded = OneDnn.rounded(scaled, steps.reciprocal());
            OneDnn.int8(rounded, codes, steps, columnSteps, y, sum != null);
        }
        return y;
    }

    /** The largest magnitude of each row, {@code [n, 1]}. Magnitudes are in the order of their bits, and integers are compared faster. */
    private static Tensor largest(Tensor rows) {
        ScalarType type = rows.scalar_type();
        ScalarType bits = rows.element_size() == Short.BYTES ? ScalarType.Short : ScalarType.Int;
        return rows.abs().view(bits).amax(new long[] {1}, true).view(type);
    }

    private static Tensor steps(Tensor largest) {
        return Ops.to(largest, ScalarType.Float)
                .clamp_min(new Scalar(Float.MIN_NORMAL * LARGEST))
                .div_(new Scalar(LARGEST));
    }
}
