package dev.graft.models.sites;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A map with a weight and an optional bias: {@code y = W x + b} for a linear layer ({@code W [out, in]}), the rows of {@code W [n, d]} for an
 * embedding, kernels for a convolution. An adapted layer is again one, so adapters compose and merge.
 */
public interface Affine {
    /** Applies the map: x is {@code [..., in]} for a linear layer, ids {@code [...]} for an embedding. */
    Tensor apply(Tensor x, PassView pass);

    /** Returns {@code sum + apply(x)}, which a linear layer rounds once; sum has the output's shape and type. */
    default Tensor addTo(Tensor sum, Tensor x, PassView pass) {
        return apply(x, pass).add(sum);
    }

    /** The weight of the map. */
    Tensor weight();

    /** The bias of the map, {@code [out]}, or null. */
    @Nullable
    Tensor bias();

    /** Returns the map of rows with its gradient by formula, or null if autograd must compute it. */
    default @Nullable ManualGradient manualGradient() {
        return null;
    }
}
