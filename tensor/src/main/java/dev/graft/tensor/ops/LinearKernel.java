package dev.graft.tensor.ops;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Products with a matrix W {@code [out, in]} stored in the kernel's own order or format. */
public interface LinearKernel {
    /** Returns whether it supports x {@code [..., in]}, by its number of rows. */
    boolean supports(Tensor x);

    /**
     * Returns {@code sum + x Wᵀ + b}, {@code [..., out]}, without recording a gradient. The result of a row depends neither on the other rows nor
     * on their number.
     *
     * @param x {@code [..., in]}
     * @param bias {@code [out]}, or null for nothing
     * @param sum {@code [..., out]}, or null for nothing
     */
    Tensor linear(Tensor x, @Nullable Tensor bias, @Nullable Tensor sum);
}
