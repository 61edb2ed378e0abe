package dev.graft.tensor;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The random numbers of {@code torch.Generator().manual_seed(seed)} on a CPU (Mersenne Twister 19937), bit for bit. It reads files that contain a
 * seed in place of numbers. Graft's own randomness is {@link Rng}.
 *
 * <pre>{@code
 * Tensor positions = new TorchRng(777).permutation(64 * 64).narrow(0, 0, 1000);
 * }</pre>
 */
public final class TorchRng {
    static {
        Natives.load();
    }

    private final Generator generator;

    /** Creates a generator in the state after {@code manual_seed}. */
    public TorchRng(long seed) {
        try (PointerScope scope = new PointerScope()) {
            this.generator = torch.make_generator_cpu(seed);
            generator.retainReference();
            scope.detach(generator);
        }
    }

    /** {@code torch.randperm}: 0 … n - 1 in random order, int64. */
    public Tensor permutation(long n) {
        return torch.randperm(n, optional());
    }

    /** {@code Tensor.uniform_}: uniform on [low, high), fp32. */
    public Tensor uniform(double low, double high, long... shape) {
        return Tensors.empty(ScalarType.Float, shape).uniform_(low, high, optional());
    }

    /** {@code Tensor.normal_}: normal with that mean and standard deviation, fp32. */
    public Tensor normal(double mean, double std, long... shape) {
        return Tensors.empty(ScalarType.Float, shape).normal_(mean, std, optional());
    }

    private GeneratorOptional optional() {
        return new GeneratorOptional(generator);
    }
}
