package dev.graft.models.sites;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A linear map of features, {@code y = W x + b}: a linear layer, or a convolution, whose features are channels. Rows of W belong to outputs.
 * Methods for both kinds flatten the weight, {@code weight().flatten(1)}, and let the layer shape their vectors.
 */
public sealed interface Projection extends Site, Affine permits Linear, Convolution {
    Role role();

    /** The number of input features. */
    long in();

    /** The number of output features. */
    long out();

    /** Applies the layer with other parameters of equal shapes. */
    Tensor apply(Tensor x, Tensor newWeight, @Nullable Tensor newBias);

    @Override
    default Tensor apply(Tensor x, PassView pass) {
        return apply(x, weight(), bias());
    }

    /** Returns a vector {@code [in]} or {@code [out]} in the shape that multiplies inputs or outputs. */
    Tensor onFeatures(Tensor vector);

    /** Returns a vector {@code [out]} in the shape that multiplies the rows of the weight. */
    Tensor onRows(Tensor vector);

    /** Returns a vector {@code [in]} in the shape that multiplies the columns of the weight. */
    Tensor onColumns(Tensor vector);
}
