package dev.graft.models.sites;

import dev.graft.models.Pass;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A layer that maps features linearly, {@code y = W x + b}: a linear layer, or a convolution, whose features are channels. Rows of W
 * belong to outputs; a method for both kinds flattens the weight, {@code weight().flatten(1)}, and asks the layer for the shape of its
 * vectors.
 */
public sealed interface Projection extends Site, Affine permits Linear, Convolution {
    Role role();

    /** How many features go in. */
    long in();

    /** How many features come out. */
    long out();

    /** The same layer with other parameters of the same shapes. */
    Tensor apply(Tensor x, Tensor newWeight, @Nullable Tensor newBias);

    @Override
    default Tensor apply(Tensor x, Pass pass) {
        return apply(x, weight(), bias());
    }

    /** A vector {@code [in]} or {@code [out]} in the shape that multiplies what goes in or comes out. */
    Tensor onFeatures(Tensor vector);

    /** A vector {@code [out]} in the shape that multiplies the rows of the weight. */
    Tensor onRows(Tensor vector);

    /** A vector {@code [in]} in the shape that multiplies the columns of the weight. */
    Tensor onColumns(Tensor vector);
}
