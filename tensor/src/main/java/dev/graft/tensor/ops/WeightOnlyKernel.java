package dev.graft.tensor.ops;

import dev.graft.tensor.Cpu;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Products of few rows in bf16 with a matrix in four or eight bits. libtorch's kernels for weight-only quantisation decode a value where they
 * multiply with it and sum in fp32, so they read little memory. Scales and zeros are rounded to bf16, values aren't. For many rows it is faster
 * to decode the whole matrix once.
 */
public final class WeightOnlyKernel implements LinearKernel {
    private static final long MOST_ROWS_IN_FOUR_BITS = 128;
    private static final long MOST_ROWS_IN_EIGHT_BITS = 64;
    private static final Set<Long> GROUPS = Set.of(32L, 64L, 128L, 256L);

    private final long out;
    private final long mostRows;
    private final UnaryOperator<Tensor> kernel;

    private WeightOnlyKernel(long out, long mostRows, UnaryOperator<Tensor> kernel) {
        this.out = out;
        this.mostRows = mostRows;
        this.kernel = kernel;
    }

    /**
     * Creates a kernel with a copy of the values {@code scale · code + bias}; null if libtorch's kernel doesn't support the matrix.
     *
     * @param codes integers from 0 to 15, {@code [out, in]}
     * @param scales fp32 {@code [out, in / group]}
     * @param biases fp32 {@code [out, in / group]}
     */
    public static @Nullable WeightOnlyKernel int4(Tensor codes, Tensor scales, Tensor biases) {
        long out = codes.size(0);
        long group = codes.size(1) / scales.size(1);
        if (!Cpu.hasBf16() || out % 16 != 0 || !GROUPS.contains(group)) {
            return null;
        }
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor packed = scope.release(TorchOperator.int4Packed(Ops.to(codes, ScalarType.Int)));
            // Around the middle code, so that the rounding of the scale matters least.
            Tensor zeros = scales.mul(new Scalar(8.0)).add_(biases);
            Tensor both = torch.stack(new TensorVector(scales.t(), zeros.t()), 2);
            Tensor rounded = scope.release(both.to(ScalarType.BFloat16).contiguous());
            return new WeightOnlyKernel(
                    out, MOST_ROWS_IN_FOUR_BITS, x -> TorchOperator.int4Product(x, packed, group, rounded));
        }
    }

    /**
     * Creates a kernel for values {@code scale · code} that reads the codes in place. Null if libtorch's kernel doesn't support the matrix: it
     * always reads 32 codes of a row at a time.
     *
     * @param codes int8 {@code [out, in]}
     * @param scales fp32 {@code [out]}
     */
    public static @Nullable WeightOnlyKernel int8(Tensor codes, Tensor scales) {
        if (!Cpu.hasBf16() || codes.size(1) % 32 != 0 || !codes.is_contiguous()) {
            return null;
        }
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor rounded = scope.release(scales.to(ScalarType.BFloat16));
            return new WeightOnlyKernel(
                    codes.size(0), MOST_ROWS_IN_EIGHT_BITS, x -> TorchOperator.int8Product(x, codes, rounded));
        }
    }

    @Override
    public boolean supports(Tensor x) {
        long rows = x.numel() / x.size(-1);
        return rows > 0 && rows <= mostRows;
    }

    /** Returns {@code sum + x Wᵀ + b}, rounded before each addition. */
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
