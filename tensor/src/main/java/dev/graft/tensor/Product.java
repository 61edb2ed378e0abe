package dev.graft.tensor;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Products with a matrix W {@code [out, in]} that is kept as they read it. */
public interface Product {
    /** Whether it is made for an x {@code [..., in]} of so many rows. */
    boolean takes(Tensor x);

    /**
     * {@code sum + x Wᵀ + b}, for which no gradient is recorded; what it gives for a row depends neither on the other rows nor on their number.
     *
     * @param x {@code [..., in]}
     * @param bias {@code [out]}, or null for nothing
     * @param sum {@code [..., out]}, or null for nothing
     */
    Tensor linear(Tensor x, @Nullable Tensor bias, @Nullable Tensor sum);
}
