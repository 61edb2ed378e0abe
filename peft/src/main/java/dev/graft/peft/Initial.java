package dev.graft.peft;

import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** How a parameter starts. */
@FunctionalInterface
public interface Initial {
    /** All zeros. */
    Initial ZEROS = (rng, shape) -> Tensors.zeros(ScalarType.Float, shape);

    /** All ones. */
    Initial ONES = (rng, shape) -> Tensors.ones(ScalarType.Float, shape);

    /** A tensor of that shape, fp32. */
    Tensor make(Rng rng, long... shape);

    /** Normal around 0. */
    static Initial normal(double std) {
        return (rng, shape) -> rng.normal(0, std, shape);
    }

    /** Normal around 0, within two deviations. */
    static Initial truncatedNormal(double std) {
        // erf(√2): the probability of two deviations.
        double within = 0.9544997361036416;
        return (rng, shape) -> rng.uniform(-within, within, shape).erfinv_().mul_(new Scalar(std * Math.sqrt(2)));
    }

    /** Uniform on ±bound. */
    static Initial uniform(double bound) {
        return (rng, shape) -> rng.uniform(-bound, bound, shape);
    }

    /** What {@code nn.Linear} starts with: Kaiming-uniform with a = √5, that is uniform on ±1/√fanIn; all sizes but the first make the fan-in. */
    Initial KAIMING = (rng, shape) -> {
        double bound = 1 / Math.sqrt(Arrays.stream(shape).skip(1).reduce(1, (a, b) -> a * b));
        return rng.uniform(-bound, bound, shape);
    };

    /** A copy of a tensor. */
    static Initial copy(Tensor tensor) {
        return (rng, shape) -> tensor.detach().clone();
    }
}
