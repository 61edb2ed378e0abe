package dev.graft.tensor;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Root-mean-square normalisation (Zhang and Sennrich, 2019) of texts of a single token, {@code y = w ⊙ x / √(mean x² + ε)}. libtorch makes it of seven
 * operations, whose calls take longer than their arithmetic on a few rows, so these are normalised here. What a row is given depends on no other one.
 */
final class RowNorm {
    private RowNorm() {}

    /** Whether that is quicker for x {@code [texts, tokens, ..., n]}, and no gradient is recorded. */
    static boolean takes(Tensor x, Tensor weight) {
        return x.dim() > 2
                && x.size(1) == 1
                && x.scalar_type().value == ScalarType.Float.value
                && weight.scalar_type().value == ScalarType.Float.value
                && !x.requires_grad()
                && !weight.requires_grad();
    }

    /** x {@code [..., n]} normalised, in fp32. */
    static Tensor of(Tensor x, Tensor weight, double eps) {
        int n = (int) weight.size(0);
        float[] factors = Tensors.floats(weight);
        float[] rows = Tensors.floats(x);
        for (int start = 0; start < rows.length; start += n) {
            double mean = squares(rows, start, start + n) / n;
            multiply(rows, start, factors, (float) (1 / Math.sqrt(mean + eps)));
        }
        return Tensors.of(rows, Tensors.shape(x));
    }

    /** In eight sums, which a processor adds up at once. */
    private static double squares(float[] x, int start, int end) {
        float a = 0;
        float b = 0;
        float c = 0;
        float d = 0;
        float e = 0;
        float f = 0;
        float g = 0;
        float h = 0;
        int i = start;
        for (; i + 8 <= end; i += 8) {
            a += x[i] * x[i];
            b += x[i + 1] * x[i + 1];
            c += x[i + 2] * x[i + 2];
            d += x[i + 3] * x[i + 3];
            e += x[i + 4] * x[i + 4];
            f += x[i + 5] * x[i + 5];
            g += x[i + 6] * x[i + 6];
            h += x[i + 7] * x[i + 7];
        }
        for (; i < end; i++) {
            a += x[i] * x[i];
        }
        return ((double) a + b) + ((double) c + d) + ((double) e + f) + ((double) g + h);
    }

    private static void multiply(float[] x, int start, float[] factors, float factor) {
        for (int i = 0; i < factors.length; i++) {
            x[start + i] = x[start + i] * factor * factors[i];
        }
    }
}
