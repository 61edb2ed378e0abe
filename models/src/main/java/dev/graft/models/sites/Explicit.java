package dev.graft.models.sites;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** A linear layer, adapted or not, whose gradient is known by formula, so that training needs no gradient graph for it. */
public interface Explicit {
    /**
     * The answer for x {@code [rows, in]}, {@code [rows, out]} and new, and behind it what the gradient needs.
     */
    List<Tensor> forward(Tensor x);

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
