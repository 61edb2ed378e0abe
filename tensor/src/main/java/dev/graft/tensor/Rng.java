package dev.graft.tensor;

import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;
import org.bytedeco.pytorch.Tensor;

/**
 * Random tensors that depend only on a seed and a name, not on libtorch's version, threads or earlier draws.
 *
 * <pre>{@code
 * Tensor a = Rng.of(42, "layers.0.q_proj.lora_A.weight").uniform(-0.1, 0.1, 16, 768);
 * }</pre>
 */
public final class Rng {
    private final SplittableRandom random;

    private Rng(long seed) {
        this.random = new SplittableRandom(seed);
    }

    /** Returns the stream of a seed for a name (FNV-1a of the name, mixed into the seed). */
    public static Rng of(long seed, String name) {
        return new Rng(mix(seed, name));
    }

    /** Uniform on [low, high), fp32. */
    public Tensor uniform(double low, double high, long... shape) {
        float[] values = new float[Tensors.count(shape)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (low + (high - low) * random.nextDouble());
        }
        return Tensors.of(values, shape);
    }

    /** Normal with the given mean and standard deviation (Marsaglia's polar method), fp32. */
    public Tensor normal(double mean, double std, long... shape) {
        float[] values = new float[Tensors.count(shape)];
        for (int i = 0; i < values.length; i += 2) {
            double u;
            double v;
            double s;
            do {
                u = 2 * random.nextDouble() - 1;
                v = 2 * random.nextDouble() - 1;
                s = u * u + v * v;
            } while (s >= 1 || s == 0);
            double scale = std * Math.sqrt(-2 * Math.log(s) / s);
            values[i] = (float) (mean + u * scale);
            if (i + 1 < values.length) {
                values[i + 1] = (float) (mean + v * scale);
            }
        }
        return Tensors.of(values, shape);
    }

    /** A uniform integer on [0, bound). */
    public int nextInt(int bound) {
        return random.nextInt(bound);
    }

    /** A uniform double on [0, 1). */
    public double nextDouble() {
        return random.nextDouble();
    }

    public static long mix(long seed, String name) {
        long hash = 0xcbf29ce484222325L;
        for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
            hash = (hash ^ (b & 0xff)) * 0x100000001b3L;
        }
        return hash ^ (seed * 0x9e3779b97f4a7c15L);
    }
}
