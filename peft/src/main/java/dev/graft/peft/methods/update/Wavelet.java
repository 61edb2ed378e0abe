package dev.graft.peft.methods.update;

import dev.graft.formats.InputException;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * An orthogonal wavelet by its low-pass filter h: Daubechies' {@code db}, the least asymmetric {@code sym}, and {@code coif}lets. The high-pass
 * filter is {@code g[i] = (-1)ⁱ h[L - 1 - i]}.
 */
record Wavelet(String name, double[] low) {
    private static final Map<String, Wavelet> ALL = read();

    /** Returns the wavelet of that name, a value of {@code wavelet_family}. */
    static Wavelet named(String name) {
        Wavelet found = ALL.get(name);
        if (found == null) {
            throw new InputException(
                    "wavelet_family is \"" + name + "\", expected one of " + String.join(", ", ALL.keySet())
                            + "; PEFT has no filters for its other names, and those of coif4 and coif5 are not"
                            + " orthogonal");
        }
        return found;
    }

    private static Map<String, Wavelet> read() {
        Map<String, Wavelet> all = new LinkedHashMap<>();
        try (InputStream file = Wavelet.class.getResourceAsStream("wavelets.txt")) {
            if (file == null) {
                throw new IllegalStateException("wavelets.txt is not on the class path");
            }
            for (String line : new String(file.readAllBytes(), StandardCharsets.UTF_8).split("\n")) {
                String[] words = line.split(" ");
                double[] low = Arrays.stream(words, 1, words.length)
                        .mapToDouble(Double::parseDouble)
                        .toArray();
                all.put(words[0], new Wavelet(words[0], low));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return all;
    }

    /** Returns the amount by which {@link #inverse} reduces a size. */
    long reduction() {
        return low.length - 2L;
    }

    /**
     * Computes one level of the inverse transform of {@code [2 n, 2 m]}. Its quarters are the coefficients low in rows and columns, high in rows
     * only (right), high in columns only (below), and high in both. The result is {@link #reduction} smaller.
     */
    Tensor inverse(Tensor coefficients) {
        long n = coefficients.size(0) / 2;
        long m = coefficients.size(1) / 2;
        Tensor top = coefficients.narrow(0, 0, n);
        Tensor below = coefficients.narrow(0, n, n);
        Tensor bands = torch.stack(new org.bytedeco.pytorch.TensorVector(
                top.narrow(1, 0, m), top.narrow(1, m, m), below.narrow(1, 0, m), below.narrow(1, m, m)));
        Tensor whole = torch.conv_transpose2d(
                bands.unsqueeze(0),
                filters(coefficients.scalar_type()),
                new TensorOptional(),
                new long[] {2, 2},
                new long[] {0, 0},
                new long[] {0, 0},
                1,
                1,
                1);
        long cut = low.length - 2L;
        return whole.view(whole.size(2), whole.size(3))
                .narrow(0, cut, whole.size(2) - 2 * cut)
                .narrow(1, cut, whole.size(3) - 2 * cut);
    }

    private Tensor filters(ScalarType type) {
        int length = low.length;
        float[] high = new float[length];
        float[] even = new float[length];
        for (int i = 0; i < length; i++) {
            even[i] = (float) low[i];
            high[i] = (float) (i % 2 == 0 ? low[length - 1 - i] : -low[length - 1 - i]);
        }
        Tensor h = Tensors.of(even, length);
        Tensor g = Tensors.of(high, length);
        Tensor bank =
                torch.stack(new org.bytedeco.pytorch.TensorVector(h.outer(h), g.outer(h), h.outer(g), g.outer(g)));
        return Ops.to(bank.unsqueeze(1), type);
    }
}
