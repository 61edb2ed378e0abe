package dev.graft.tensor;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A copy of a matrix W {@code [out, in]} in the order in which oneDNN's products read it. A product of a few rows takes as long for that
 * rearranging as for the rest, so that it is twice as fast with a copy; what it gives is the same to the last bit.
 */
public final class Packed {
    private final Tensor matrix;

    private Packed(Tensor matrix) {
        this.matrix = matrix;
    }

    /** A copy, or null where products of the matrix's type aren't oneDNN's. */
    public static @Nullable Packed of(Tensor matrix) {
        if (matrix.scalar_type().value != ScalarType.BFloat16.value || !Cpu.hasBf16()) {
            return null;
        }
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            return new Packed(scope.release(Operator.reordered(matrix.contiguous())));
        }
    }

    /** {@code x Wᵀ + b}, for which no gradient is recorded: x {@code [..., in]}, bias {@code [out]} or null. */
    public Tensor linear(Tensor x, @Nullable Tensor bias) {
        return Operator.reorderedLinear(x, matrix, bias);
    }
}
