package dev.graft.models.sites;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A linear layer, adapted or not, whose gradient is a formula, so training needs no gradient graph for it. Each forward pass needs its own
 * object, which its backward pass uses too.
 */
public interface ManualGradient {
    /**
     * Returns the output {@code [rows, out]} for x {@code [rows, in]}, then the tensors that the gradient needs. The largest product comes last
     * and adds to the sum before rounding.
     *
     * @param sum the tensor to add to, perhaps in place, {@code [rows, out]}; null for a new result
     */
    List<Tensor> forward(Tensor x, @Nullable Tensor sum);

    /**
     * Adds to the gradients of its own parameters.
     *
     * @param gradient the gradient of the output, {@code [rows, out]}
     * @param kept the tensors that {@link #forward} returned after the output
     * @param wanted whether the gradient of x is needed
     * @param sum the gradient of x from other layers, {@code [rows, in]}, added to in place; null if there is none
     * @return the gradient of x so far, {@code [rows, in]}, or null if it isn't needed
     */
    @Nullable
    Tensor backward(Tensor x, Tensor gradient, List<Tensor> kept, boolean wanted, @Nullable Tensor sum);

    /** The number of tensors that {@link #forward} returns after the output. */
    int savedCount();

    /** Returns whether it has trained parameters. */
    boolean trains();
}
