package dev.graft.train;

import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.optim.FlatParameters;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Measures the change of the gradients of some rows for {@link DropBackward}; {@code backward} recomputes them in {@code parameters}.
 */
public final class GradientChange implements DropBackward.GradientDistance {
    private final FlatParameters parameters;
    private final Runnable backward;
    private @Nullable Tensor whole;

    public GradientChange(FlatParameters parameters, Runnable backward) {
        this.parameters = parameters;
        this.backward = backward;
    }

    @Override
    public double squaredDistance() {
        backward.run();
        Tensor now = parameters.gradients();
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            if (whole == null) {
                whole = scope.release(now.clone());
            }
            double norm = Tensors.item(now.sub(whole).norm());
            return norm * norm;
        }
    }
}
