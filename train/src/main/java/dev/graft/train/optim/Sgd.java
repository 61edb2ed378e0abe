package dev.graft.train.optim;

import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/** Stochastic gradient descent as in PyTorch: weight decay added to the gradient, then {@code b = μ b + g} and {@code p -= lr · b}. */
public final class Sgd implements Optimizer {
    private final FlatParameters parameters;
    private final double momentum;
    private final double weightDecay;
    private final Tensor buffer;
    private long steps;

    public Sgd(FlatParameters parameters, double momentum, double weightDecay) {
        this.parameters = parameters;
        this.momentum = momentum;
        this.weightDecay = weightDecay;
        try (Scope scope = new Scope()) {
            buffer = scope.release(Tensors.zeros(
                    parameters.values().scalar_type(), parameters.values().numel()));
        }
    }

    @Override
    public FlatParameters parameters() {
        return parameters;
    }

    @Override
    public void step(double learningRate) {
        steps++;
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Tensor p = parameters.values();
            Tensor g = parameters.gradients();
            if (weightDecay != 0) {
                g = g.add(p, new Scalar(weightDecay));
            }
            if (momentum != 0) {
                g = buffer.mul_(new Scalar(momentum)).add_(g);
            }
            p.add_(g, new Scalar(-learningRate));
        }
    }

    @Override
    public long steps() {
        return steps;
    }

    @Override
    public Map<String, Tensor> state() {
        return Map.of("momentum", buffer);
    }

    @Override
    public void restore(long stepsDone, Map<String, Tensor> state) {
        steps = stepsDone;
        copy(state, "momentum", buffer);
    }

    static void copy(Map<String, Tensor> state, String name, Tensor into) {
        Tensor saved = state.get(name);
        if (saved == null || saved.numel() != into.numel()) {
            throw new IllegalArgumentException(
                    "the saved optimiser has no " + name + " of " + into.numel() + " values");
        }
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            into.copy_(saved);
        }
    }
}
