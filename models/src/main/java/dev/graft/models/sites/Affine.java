package dev.graft.models.sites;

import dev.graft.models.Pass;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A map given by a weight and perhaps a bias: {@code y = W x + b} for a linear layer ({@code W [out, in]}), the rows of
 * {@code W [n, d]} for an embedding, kernels for a convolution. What adapts such a layer is again one, so that adapters compose and merge.
 */
public interface Affine {
    /** Applies the map: x is {@code [..., in]} for a linear layer, ids {@code [...]} for an embedding. */
    Tensor apply(Tensor x, Pass pass);

    /** {@code sum + apply(x)}, which a linear layer rounds once: sum is of the answer's shape and type. */
    default Tensor addTo(Tensor sum, Tensor x, Pass pass) {
        return apply(x, pass).add(sum);
    }

    /** The weight of the map. */
    Tensor weight();

    /** The bias of the map, {@code [out]}, or null. */
    @Nullable
    Tensor bias();

    /** The map of rows with its gradient by formula, or null where autograd must find it. */
    default @Nullable Explicit explicit() {
        return null;
    }
}
