package dev.graft.models.sites;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A linear layer, adapted or not, whose gradient is known by formula, so that training needs no gradient graph for it. Ask for one
 * for each forward pass; the backward pass goes to the same object.
 */
public interface Explicit {
    /**
     * The answer for x {@code [rows, in]}, and behind it what the gradient needs. The largest product comes last and adds to what is there
     * before it is rounded.
     *
     * @param sum what the answer is added to, perhaps in place, {@code [rows, out]}; null for nothing, and the answer is new
     */
    List<Tensor> forward(Tensor x, @Nullable Tensor sum);

    /**
     * Adds to the gradients of its own parameters.
     *
     * @param gradient of the answer, {@code [rows, out]}
     * @param kept what {@link #forward} gave behind the answer
     * @param wanted whether the gradient of x is wanted
     * @param sum what others added to the gradient of x already, {@code [rows, in]}, to be added to in place; null if nothing
     * @return the gradient of x so far, {@code [rows, in]}, or null if it isn't wanted
     */
    @Nullable
    Tensor backward(Tensor x, Tensor gradient, List<Tensor> kept, boolean wanted, @Nullable Tensor sum);

    /** How many tensors {@link #forward} gives behind the answer. */
    int kept();

    /** Whether it has parameters that are trained. */
    boolean trains();
}
