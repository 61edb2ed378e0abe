package dev.graft.train;

import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * The exponential moving average of all trained values, {@code m ← d m + (1 - d) p} after each step, with
 * {@code d = min(decay, (1 + t) / (10 + t))}, t counted from 1, so that the beginning is forgotten soon.
 */
final class ExponentialMovingAverage {
    private final Tensor values;
    private final double decay;
    private final Tensor mean;

    /** @param values the trained values, {@code [count]}, with which the average starts */
    ExponentialMovingAverage(Tensor values, double decay) {
        this.values = values;
        this.decay = decay;
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            mean = scope.release(values.clone());
        }
    }

    /** The average, {@code [count]}. */
    Tensor mean() {
        return mean;
    }

    /** After step t, from 1. */
    void update(long t) {
        double d = Math.min(decay, (1.0 + t) / (10 + t));
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            mean.lerp_(values, new Scalar(1 - d));
        }
    }

    /** Exchanges the average and the trained values; once more puts them back. */
    void swap() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor trained = values.clone();
            values.copy_(mean);
            mean.copy_(trained);
        }
    }
}
