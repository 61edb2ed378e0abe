package dev.graft.parity;

import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.optim.FlatParameters;
import java.util.HashMap;
import java.util.Map;

/**
 * Finds parameters whose true gradient is zero, such as the biases of attention keys, which the softmax cancels. Adam normalises gradients,
 * so it moves such a parameter by rounding errors: its values are meaningless and change no output.
 */
final class GradientNoise {
    private static final double SMALLEST_SHARE = 1e-6;

    private final Map<String, Double> shares = new HashMap<>();

    /** Looks at the gradients of a step. */
    void observe(FlatParameters parameters) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            double all = parameters.gradientNorm();
            parameters
                    .parameters()
                    .forEach((name, value) ->
                            shares.merge(name, Tensors.item(value.grad().norm()) / all, Math::max));
        }
    }

    /** Returns whether the parameter's gradient was never more than rounding errors. */
    boolean isNoise(String name) {
        return shares.getOrDefault(name, 1.0) < SMALLEST_SHARE;
    }
}
