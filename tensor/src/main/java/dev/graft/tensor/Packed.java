package dev.graft.tensor;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A copy of a matrix W {@code [out, in]} in the order in which oneDNN's products read it. In bf16 a product of a few rows takes as long for
 * that rearranging as for the rest, so that it is twice as fast with a copy; what it gives is the same to the last bit. In fp32 products are
 * OpenBLAS's without a copy, which are two to four times as slow; what they give differs by rounding. What a product with a copy gives for a row
 * depends neither on the other rows nor on their number.
 */
public final class Packed implements Product {
    private final Tensor bytes;
    private final long out;

    private Packed(Tensor bytes, long out) {
        this.bytes = bytes;
        this.out = out;
    }

    /** A copy, or null where products of the matrix's type aren't oneDNN's. */
    public static @Nullable Packed of(Tensor matrix) {
        int type = matrix.scalar_type().value;
        boolean bf16 = type == ScalarType.BFloat16.value && Cpu.hasBf16();
        boolean fp32 = type == ScalarType.Float.value && Cpu.has("avx2");
        if (!bf16 && !fp32) {
            return null;
        }
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            return new Packed(scope.release(OneDnn.packed(matrix)), matrix.size(0));
        }
    }

    /** {@code x Wᵀ + b}, for which no gradient is recorded: x {@code [..., in]}, bias {@code [out]} or null. */
    public Tensor linear(Tensor x, @Nullable Tensor bias) {
        return linear(x, bias, null);
    }

    @Override
    public boolean takes(Tensor x) {
        return true;
    }

    /** Rounded once. */
    @Override
    public Tensor linear(Tensor x, @Nullable Tensor bias, @Nullable Tensor sum) {
        return OneDnn.linear(x, bytes, out, bias, sum);
    }
}
