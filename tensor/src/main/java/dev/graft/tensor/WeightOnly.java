package dev.graft.tensor;

import java.util.Set;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Products of few rows in bf16 with a matrix in four or eight bits: libtorch's kernels for weight-only quantisation decode a value where they
 * multiply with it and add in fp32, so that little is read from memory. Scales and zeros are rounded to bf16, values aren't. For
 * many rows it is faster to decode the whole matrix once.
 */
public final class WeightOnly implements Product {
    private static final long MOST_ROWS_IN_FOUR_BITS = 128;
    private static final long MOST_ROWS_IN_EIGHT_BITS = 64;
    private static final Set<Long> GROUPS = Set.of(32L, 64L, 128L, 256L);

    private final long out;
    private final long mostRows;
    private final UnaryOperator<Tensor> kernel;

    private WeightOnly(long out, long mostRows, UnaryOperator<Tensor> kernel) {
        this.out = out;
        this.mostRows = mostRows;
        this.kernel = kernel;
    }

    /**
     * A matrix of values {@code scale · code + bias}, copied; null where the kernel can't take it.
     *
     * @param codes whole numbers from 0 to 15, {@code [out, in]}
     * @param scales fp32 {@code [out, in / group]}
     * @param biases fp32 {@code [out, in / group]}
     */
    public static @Nullable WeightOnly int4(Tensor codes, Tensor scales, Tensor biases) {
        long out = codes.size(0);
        long group = codes.size(1) / scales.size(1);
        if (!Cpu.hasBf16() || out % 16 != 0 || !GROUPS.contains(group)) {
            return null;
        }
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Tensor packed = scope.release(Operator.int4Packed(Ops.to(codes, ScalarType.Int)));
            // Around the middle code, so that the rounding of the scale matters least.
            Tensor zeros = scales.mul(new Scalar(8.0)).add_(biases);
            Tensor both = torch.stack(new TensorVector(scales.t(), zeros.t()), 2);
            Tensor rounded = scope.release(both.to(ScalarType.BFloat16).contiguous());
            return new WeightOnly(out, MOST_ROWS_IN_FOUR_BITS, x -> Operator.int4Product(x, packed, group, rounded));
        }
    }

    /**
     * A matrix of values {@code scale · code}, whose codes are read where they are; null where the kernel can't take it: it reads 32 codes
     * of a row at a time, whether there are so many or not.
     *
     * @param codes int8 {@code [out, in]}
     * @param scales fp32 {@code [out]}
     */
    public static @Nullable WeightOnly int8(Tensor codes, Tensor scales) {
        if (!Cpu.hasBf16() || codes.size(1) % 32 != 0 || !codes.is_contiguous()) {
            return null;
        }
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Tensor rounded = scope.release(scales.to(ScalarType.BFloat16));
            return new WeightOnly(codes.size(0), MOST_ROWS_IN_EIGHT_BITS, x -> Operator.int8Product(x, codes, rounded));
        }
    }

    @Override
    public boolean takes(Tensor x) {
        long rows = x.numel() / x.size(-1);
        return rows > 0 && rows <= mostRows;
    }

    /** Rounded before something is added, and once more then. */
    @Override
    public Tensor linear(Tensor x, @Nullable Tensor bias, @Nullable Tensor sum) {
        long[] shape = Tensors.shape(x);
        shape[shape.length - 1] = out;
        try (Scope scope = new Scope()) {
            Tensor y = kernel.apply(x.reshape(-1, x.size(-1)).contiguous()).view(shape);
            if (bias != null && sum != null) {
                y = Ops.to(Ops.to(y, ScalarType.Float).add_(bias).add_(sum), ScalarType.BFloat16);
            } else if (bias != null) {
                y = y.add_(bias);
            } else if (sum != null) {
                y = y.add_(sum);
            }
            return scope.keep(y);
        }
    }
}
