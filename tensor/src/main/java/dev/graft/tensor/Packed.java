package dev.graft.tensor;

import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A copy of a matrix W {@code [out, in]} in the order in which oneDNN's products read it. In bf16 a product of a few rows takes as long for
 * that rearranging as for the rest, so that it is twice as fast with a copy; what it gives is the same but for the order of sums over long rows. In fp32
 * products are OpenBLAS's without a copy, which are two to four times as slow; what they give differs by rounding. What a product with a copy gives for a row
 * depends neither on the other rows nor on their number; in bf16 on a processor with AMX that is so for texts of several tokens, {@code [texts,
 * tokens, in]}, each of which is multiplied by itself there.
 */
public final class Packed implements Product {
    private final OneDnn.Matrix matrix;
    private final Tensor bytes;

    private Packed(OneDnn.Matrix matrix, Tensor bytes) {
        this.matrix = matrix;
        this.bytes = bytes;
    }

    /** A copy, or null where products of the matrix's type aren't oneDNN's. */
    public static @Nullable Packed of(Tensor w) {
        int type = w.scalar_type().value;
        boolean bf16 = type == ScalarType.BFloat16.value && Cpu.hasBf16();
        boolean fp32 = type == ScalarType.Float.value && Cpu.has("avx2");
        if (!bf16 && !fp32) {
            return null;
        }
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            OneDnn.Matrix matrix = new OneDnn.Matrix(w.scalar_type().intern(), w.size(1), w.size(0));
            return new Packed(matrix, scope.release(OneDnn.packed(matrix, w)));
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
        require(x, x.size(-1) == matrix.in(), "x");
        require(bias, bias == null || bias.numel() == matrix.out(), "bias");
        require(sum, sum == null || sum.numel() == x.numel() / matrix.in() * matrix.out(), "sum");
        return OneDnn.linear(matrix, bytes, x, bias, sum);
    }

    /** oneDNN is given addresses alone. */
    private void require(@Nullable Tensor tensor, boolean fits, String what) {
        if (tensor != null && (!fits || tensor.scalar_type().value != matrix.type().value)) {
            throw new IllegalArgumentException(what + " is " + tensor.scalar_type() + " "
                    + Arrays.toString(Tensors.shape(tensor)) + ", which doesn't fit a matrix of " + matrix);
        }
    }
}
