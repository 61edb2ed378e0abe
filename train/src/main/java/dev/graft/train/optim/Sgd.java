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
    private final Settings settings;
    private final Tensor buffer;
    private long steps;

    /** PyTorch's defaults are 0 for both. */
    public record Settings(double momentum, double weightDecay, Decay decay) implements Optimizer.Settings {
        /** @throws dev.graft.formats.InputException naming the setting that is out of range */
        public Settings {
            AdamW.Settings.require("momentum", momentum, momentum >= 0 && momentum < 1, "0 or more and below 1");
            AdamW.Settings.require("weight_decay", weightDecay, weightDecay >= 0 && weightDecay < 1000, "0 or more");
        }

        @Override
        public Sgd of(FlatParameters parameters) {
            return new Sgd(parameters, this);
        }
    }

    /** With weight decay on every parameter. */
    public Sgd(FlatParameters parameters, double momentum, double weightDecay) {
        this(parameters, new Settings(momentum, weightDecay, Decay.ALL));
    }

    public Sgd(FlatParameters parameters, Settings settings) {
        this.parameters = parameters;
        this.settings = settings;
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
            for (FlatParameters.Group group : parameters.groups()) {
                if (steps > group.rate().from()) {
                    step(group, learningRate * group.rate().factor());
                }
            }
        }
    }

    private void step(FlatParameters.Group group, double rate) {
        if (settings.weightDecay != 0) {
            Tensor decayed = settings.decay.of(group, parameters.values());
            settings.decay.of(group, parameters.gradients()).add_(decayed, new Scalar(settings.weightDecay));
        }
        Tensor g = group.of(parameters.gradients());
        if (settings.momentum != 0) {
            g = group.of(buffer).mul_(new Scalar(settings.momentum)).add_(g);
        }
        group.of(parameters.values()).add_(g, new Scalar(-rate));
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
