package dev.graft.peft;

import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The initialisation of a parameter. */
@FunctionalInterface
public interface Initializer {
    /** All zeros. */
    Initializer ZEROS = (rng, shape) -> Tensors.zeros(ScalarType.Float, shape);

    /** All ones. */
    Initializer ONES = (rng, shape) -> Tensors.ones(ScalarType.Float, shape);

    /** Creates a tensor of that shape, fp32. */
    Tensor create(Rng rng, long... shape);

    /** Returns a normal distribution around 0. */
    static Initializer normal(double std) {
        return (rng, shape) -> rng.normal(0, std, shape);
    }

    /** Returns a normal distribution around 0, truncated at two deviations. */
    static Initializer truncatedNormal(double std) {
        // erf(√2): the probability of two deviations.
        double within = 0.9544997361036416;
        return (rng, shape) -> rng.uniform(-within, within, shape).erfinv_().mul_(new Scalar(std * Math.sqrt(2)));
    }

    /** Returns a uniform distribution on ±bound. */
    static Initializer uniform(double bound) {
        return (rng, shape) -> rng.uniform(-bound, bound, shape);
    }

    /**
     * The initialisation of {@code nn.Linear}: Kaiming-uniform with a = √5, which is uniform on ±1/√fanIn. The fan-in is the product of all sizes
     * except the first.
     */
    Initializer KAIMING = (rng, shape) -> {
        double bound = 1 / Math.sqrt(Arrays.stream(shape).skip(1).reduce(1, (a, b) -> a * b));
        return rng.uniform(-bound, bound, shape);
    };

    /** Returns copies of a tensor. */
    static Initializer copy(Tensor tensor) {
        return (rng, shape) -> tensor.detach().clone();
    }
}
