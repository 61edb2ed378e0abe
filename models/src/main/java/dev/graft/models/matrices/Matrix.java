package dev.graft.models.matrices;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** A frozen matrix W {@code [rows, columns]} of a linear layer. */
public sealed interface Matrix permits Dense, Quantized {
    long rows();

    long columns();

    /** The type of its values and of the products with it. */
    ScalarType type();

    /** Its values {@code [rows, columns]}: the tensor itself where it is whole, else a new one. */
    Tensor values();

    /** What it consists of in memory. */
    List<Tensor> parts();

    /** {@code x Wᵀ + b}: x {@code [..., columns]}, bias {@code [rows]} or null. */
    default Tensor times(Tensor x, @Nullable Tensor bias) {
        return times(x, bias, null);
    }

    /** {@code sum + x Wᵀ + b}, rounded once: x {@code [..., columns]}, bias {@code [rows]} or null, sum {@code [..., rows]} or null. */
    Tensor times(Tensor x, @Nullable Tensor bias, @Nullable Tensor sum);

    /** {@code sum + x Wᵀ} in place, rounded once: x {@code [n, columns]}, sum {@code [n, rows]}. */
    Tensor addTimes(Tensor sum, Tensor x);

    /**
     * {@code sum + g W}, the gradient of x in {@link #times}; no gradient of its own is recorded.
     *
     * @param gradient g {@code [n, rows]}
     * @param sum {@code [n, columns]}, added to in place; null for nothing
     */
    Tensor backward(Tensor gradient, @Nullable Tensor sum);

    /** How many bytes of memory it takes. */
    default long bytes() {
        return parts().stream().mapToLong(Tensor::nbytes).sum();
    }
}
