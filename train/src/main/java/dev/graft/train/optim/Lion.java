package dev.graft.train.optim;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * Lion (Chen et al., 2023, algorithm 2): decoupled weight decay, then {@code p -= lr · sign(β₁ m + (1 - β₁) g)} and {@code m = β₂ m + (1 -
 * β₂) g}. Every value changes by the learning rate, so rates should be 3 to 10 times smaller than AdamW's.
 */
public final class Lion implements Optimizer {
    private final FlatParameters parameters;
    private final Settings settings;
    private final Tensor m;
    private long steps;

    /** Settings of Lion. The paper's defaults are 0.9, 0.99 and no weight decay. */
    public record Settings(double beta1, double beta2, double weightDecay, FlatParameters.Decay decay)
            implements Optimizer.Settings {
        public static final Settings DEFAULT = new Settings(0.9, 0.99, 0, FlatParameters.Decay.MATRICES);

        /** @throws dev.graft.formats.InputException naming the setting that is out of range */
        public Settings {
            Optimizer.require("beta1", beta1, beta1 >= 0 && beta1 < 1, "0 or more and below 1");
            Optimizer.require("beta2", beta2, beta2 >= 0 && beta2 < 1, "0 or more and below 1");
            Optimizer.require("weight_decay", weightDecay, weightDecay >= 0 && weightDecay < 1000, "0 or more");
        }

        @Override
        public Lion of(FlatParameters parameters) {
            return new Lion(parameters, this);
        }

        @Override
        public long stateBytes(long values) {
            return Float.BYTES * values;
        }
    }

    public Lion(FlatParameters parameters, Settings settings) {
        this.parameters = parameters;
        this.settings = settings;
        try (Scope scope = new Scope()) {
            Tensor values = parameters.values();
            m = scope.release(Tensors.zeros(values.scalar_type(), values.numel()));
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
            group.decayed(settings.decay, parameters.values()).mul_(new Scalar(1 - rate * decay));
        }
        Tensor g = group.of(parameters.gradients());
        Tensor mean = group.of(m);
        Tensor direction = Ops.addScaled(Ops.scale(mean, settings.beta1), g, 1 - settings.beta1);
        group.of(parameters.values()).add_(direction.sign_(), new Scalar(-rate));
        mean.mul_(new Scalar(settings.beta2)).add_(g, new Scalar(1 - settings.beta2));
    }

    @Override
    public long steps() {
        return steps;
    }

    @Override
    public Map<String, Tensor> state() {
        return Map.of("exp_avg", m);
    }

    @Override
    public void restore(long stepsDone, Map<String, Tensor> state) {
        steps = stepsDone;
        Optimizer.copy(state, "exp_avg", m);
    }
}
