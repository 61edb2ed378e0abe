package dev.graft.train.optim;

import dev.graft.formats.InputException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * AdamW (Loshchilov and Hutter, 2019) as in PyTorch: decoupled weight decay, then
 * {@code p -= lr / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + ε)} with {@code m = β₁ m + (1 - β₁) g} and {@code v = β₂ v + (1 - β₂) g²}.
 */
public final class AdamW implements Optimizer {
    /** Values that are moved at a time: few enough to stay in a cache from one operation to the next, and for what is made on the way to be small. */
    private static final long CHUNK = 1 << 18;

    private final FlatParameters parameters;
    private final Settings settings;
    private final Tensor m;
    private final Tensor v;
    private long steps;

    /**
     * Settings of AdamW. PyTorch's defaults are betas 0.9 and 0.999, eps 1e-8, weight decay 0.01 on everything; Graft's weight decay is 0.
     *
     * @param rawEps true if eps is added to √v before the correction, {@code √((1 - β₂ᵗ)) / (√v + ε)}, as in transformers' own AdamW
     */
    public record Settings(
            double beta1, double beta2, double eps, double weightDecay, FlatParameters.Decay decay, boolean rawEps)
            implements Optimizer.Settings {
        public static final Settings DEFAULT = new Settings(0.9, 0.999, 1e-8, 0, FlatParameters.Decay.MATRICES);

        /** @throws InputException naming the setting that is out of range */
        public Settings {
            Optimizer.require("beta1", beta1, beta1 >= 0 && beta1 < 1, "0 or more and below 1");
            Optimizer.require("beta2", beta2, beta2 >= 0 && beta2 < 1, "0 or more and below 1");
            Optimizer.require("eps", eps, eps > 0 && eps < 1, "above 0 and below 1");
            Optimizer.require("weight_decay", weightDecay, weightDecay >= 0 && weightDecay < 1000, "0 or more");
        }

        /** Creates settings with PyTorch's formula. */
        public Settings(double beta1, double beta2, double eps, double weightDecay, FlatParameters.Decay decay) {
            this(beta1, beta2, eps, weightDecay, decay, false);
        }

        /** Creates settings with PyTorch's formula and weight decay on every parameter. */
        public Settings(double beta1, double beta2, double eps, double weightDecay) {
            this(beta1, beta2, eps, weightDecay, FlatParameters.Decay.ALL);
        }

        @Override
        public AdamW of(FlatParameters parameters) {
            return new AdamW(parameters, this);
        }

        @Override
        public long stateBytes(long values) {
            return 2L * Float.BYTES * values;
        }

        @Override
        public long stepBytes(long values) {
            return 2L * Float.BYTES * Math.min(CHUNK, values);
        }

        /** Updates the moments and the parameter p by its gradient g, all in place. */
        void apply(Tensor p, Tensor g, Tensor mean, Tensor square, double rate, long step) {
            mean.lerp_(g, new Scalar(1 - beta1));
            square.mul_(new Scalar(beta2)).addcmul_(g, g, new Scalar(1 - beta2));
            double correction1 = 1 - Math.pow(beta1, step);
            double correction2 = Math.sqrt(1 - Math.pow(beta2, step));
            double added = rawEps ? eps / correction2 : eps;
            Tensor denominator = square.sqrt().div_(new Scalar(correction2)).add_(new Scalar(added));
            p.addcdiv_(mean, denominator, new Scalar(-rate / correction1));
        }
    }

    public AdamW(FlatParameters parameters, Settings settings) {
        this.parameters = parameters;
        this.settings = settings;
        try (Scope scope = new Scope()) {
            long count = parameters.values().numel();
            m = scope.release(Tensors.zeros(parameters.values().scalar_type(), count));
            v = scope.release(Tensors.zeros(parameters.values().scalar_type(), count));
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
        Tensor p = group.of(parameters.values());
        Tensor g = group.of(parameters.gradients());
        Tensor mean = group.of(m);
        Tensor square = group.of(v);
        for (long from = 0; from < p.numel(); from += CHUNK) {
            long count = Math.min(CHUNK, p.numel() - from);
            try (Scope scope = new Scope()) {
                settings.apply(
                        p.narrow(0, from, count),
                        g.narrow(0, from, count),
                        mean.narrow(0, from, count),
                        square.narrow(0, from, count),
                        rate,
                        step);
            }
        }
    }

    @Override
    public long steps() {
        return steps;
    }

    @Override
    public Map<String, Tensor> state() {
        return Map.of("exp_avg", m, "exp_avg_sq", v);
    }

    @Override
    public void restore(long stepsDone, Map<String, Tensor> state) {
        steps = stepsDone;
        Optimizer.copy(state, "exp_avg", m);
        Optimizer.copy(state, "exp_avg_sq", v);
    }
}
