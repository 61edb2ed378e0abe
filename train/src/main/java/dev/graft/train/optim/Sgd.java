package dev.graft.train.optim;

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

    /** Settings of SGD. PyTorch's defaults for momentum and weight decay are 0. */
    public record Settings(double momentum, double weightDecay, FlatParameters.Decay decay)
            implements Optimizer.Settings {
        /** @throws dev.graft.formats.InputException naming the setting that is out of range */
        public Settings {
            Optimizer.require("momentum", momentum, momentum >= 0 && momentum < 1, "0 or more and below 1");
            Optimizer.require("weight_decay", weightDecay, weightDecay >= 0 && weightDecay < 1000, "0 or more");
        }

        @Override
        public Sgd of(FlatParameters parameters) {
            return new Sgd(parameters, this);
        }

        @Override
        public long stateBytes(long values) {
            return Float.BYTES * values;
        }
    }

    /** Creates an optimiser that applies weight decay to every parameter. */
    public Sgd(FlatParameters parameters, double momentum, double weightDecay) {
        this(parameters, new Settings(momentum, weightDecay, FlatParameters.Decay.ALL));
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
        parameters.update(++steps, learningRate, this::step);
    }

    private void step(FlatParameters.Group group, double rate, long step) {
        double decay = group.weightDecay(settings.weightDecay);
        if (decay != 0) {
            Tensor decayed = group.decayed(settings.decay, parameters.values());
            group.decayed(settings.decay, parameters.gradients()).add_(decayed, new Scalar(decay));
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
        Optimizer.copy(state, "momentum", buffer);
    }
}
