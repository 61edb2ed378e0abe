package dev.graft.tensor;

import java.util.Arrays;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The product {@code g W} of a gradient and a frozen matrix in 8-bit integers: each row of g is rounded to 255 steps of its own, W once, and sums
 * are exact. So the gradient that the layer below gets is off by about 1 %; neither what a layer gives nor the gradients of its own parameters are
 * rounded. With AVX512-VNNI the product takes half of bf16's time, with the rounding 0.6. SwitchBack does the same, and in the forward pass too
 * (Wortsman et al., <i>Stable and low-precision training for large-scale vision-language models</i>, 2023, section 2).
 */
public final class GradientProduct {
    private static final double LARGEST = 127;

    private final Tensor codes;
    private final @Nullable Tensor rowSteps;
    private final @Nullable Tensor columnSteps;

    private GradientProduct(Tensor codes, @Nullable Tensor rowSteps, @Nullable Tensor columnSteps) {
        this.codes = codes;
        this.rowSteps = rowSteps;
        this.columnSteps = columnSteps;
    }

    /** Whether the processor has it. */
    public static boolean isThere() {
        return Cpu.has("avx512bw");
    }

    /** Whether it is faster than a product in bf16, as was measured with AVX512-VNNI; with AMX, which has products of both, it wasn't. */
    public static boolean isFaster() {
        return Cpu.has("avx512_vnni") && !Cpu.hasAmx();
    }

    /** With a copy of W {@code [out, in]} of one byte a value, which has a step for each column. */
    public static GradientProduct of(Tensor matrix) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Tensor w = Ops.to(matrix, ScalarType.Float);
            Tensor steps = steps(w.abs().amax(new long[] {0}, true));
            Tensor codes = Ops.to(w.div(steps).round_(), ScalarType.Char).contiguous();
            return new GradientProduct(scope.release(codes), null, scope.release(steps));
        }
    }

    /**
     * With a W that is in 8 bits already.
     *
     * @param codes int8 {@code [out, in]}
     * @param absmax fp32 {@code [out]}; a code of 127 stands for it
     */
    public static GradientProduct of(Tensor codes, Tensor absmax) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            return new GradientProduct(
                    scope.release(codes.contiguous()), scope.release(absmax.div(new Scalar(LARGEST))), null);
        }
    }

    /**
     * {@code sum + g W}. What a row gets depends on no other one.
     *
     * @param gradient g, bf16 or fp32 {@code [n, out]}
     * @param sum of the same type, {@code [n, in]}, added to in place; null for nothing
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
