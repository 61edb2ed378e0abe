package dev.graft.tensor.ops;

import dev.graft.tensor.Cpu;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.onednn.OneDnn;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A copy of a matrix W {@code [out, in]} in the order that oneDNN's products read. In bf16, reordering takes half of the time of a product of a
 * few rows, so a copy makes it twice as fast; results differ only in the order of sums over long rows. In fp32, products without a copy are
 * OpenBLAS's and two to four times as slow; results differ by rounding. With a copy, the result of a row depends neither on the other rows nor on
 * their number. In bf16 with AMX that needs texts as {@code [texts, tokens, in]}, each of which is multiplied alone.
 */
public final class PackedWeight implements LinearKernel {
    private final OneDnn.WeightShape matrix;
    private final Tensor bytes;
    private final boolean inTiles;

    private PackedWeight(OneDnn.WeightShape matrix, Tensor bytes) {
        this.matrix = matrix;
        this.bytes = bytes;
        inTiles = Bf16Products.supports(matrix.in()) && matrix.isInTiles();
    }

    /** Returns a copy; null if oneDNN doesn't compute products of the matrix's type. */
    public static @Nullable PackedWeight of(Tensor w) {
        int type = w.scalar_type().value;
        boolean bf16 = type == ScalarType.BFloat16.value && Cpu.hasBf16();
        boolean fp32 = type == ScalarType.Float.value && Cpu.has("avx2");
        if (!bf16 && !fp32) {
            return null;
        }
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            OneDnn.WeightShape matrix = new OneDnn.WeightShape(w.scalar_type().intern(), w.size(1), w.size(0));
            return new PackedWeight(matrix, scope.release(OneDnn.packed(matrix, w)));
        }
    }

    /**
     * Returns {@code x Wᵀ + b}, {@code [..., out]}, without recording a gradient. x is {@code [..., in]}, bias {@code [out]} or null.
     */
    public Tensor linear(Tensor x, @Nullable Tensor bias) {
        return linear(x, bias, null);
    }

    @Override
    public boolean supports(Tensor x) {
        return true;
    }

    /** Returns {@code sum + x Wᵀ + b}, rounded once. */
    @Override
    public Tensor linear(Tensor x, @Nullable Tensor bias, @Nullable Tensor sum) {
        require(x, x.size(-1) == matrix.in(), "x");
        require(bias, bias == null || bias.numel() == matrix.out(), "bias");
        require(sum, sum == null || sum.numel() == x.numel() / matrix.in() * matrix.out(), "sum");
        if (inTiles) {
            long[] shape = Tensors.shape(x);
            shape[shape.length - 1] = matrix.out();
            Tensor y = Tensors.empty(matrix.type(), shape);
            Bf16Products.linear(matrix.in(), matrix.out(), bytes, x, bias, sum, y);
            return y;
        }
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
