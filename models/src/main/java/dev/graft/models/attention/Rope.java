package dev.graft.models.attention;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.FusedAttention;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.function.LongFunction;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Rotary position embedding (Su et al., 2021): pair i of a head rotates by position · frequency[i]. A pair is (x[i], x[i + d/2]), the half-split
 * form of Hugging Face's Llama, or two neighbours (x[2i], x[2i + 1]), as in GPT-J.
 *
 * @param frequencies {@code [headDim / 2]}, or fewer if only the first values of a head rotate
 * @param scale the factor of rotated values
 * @param longContext the frequencies of longer texts, or null
 * @param interleaved whether pairs are neighbours
 */
@RecordBuilder
public record Rope(
        double[] frequencies, double scale, @Nullable LongContext longContext, boolean interleaved)
        implements RopeBuilder.With {
    /** Creates positions that rotate alike in texts of any length. */
    public Rope(double[] frequencies) {
        this(frequencies, 1, null);
    }

    Rope(double[] frequencies, double scale, @Nullable LongContext beyond) {
        this(frequencies, scale, beyond, false);
    }

    /**
     * Other frequencies for batches whose last position is beyond the trained context, as in transformers.
     *
     * @param trained the longest text with the plain frequencies
     * @param frequencies returns the frequencies for a text of that length
     * @param once whether they change only once, so that cached keys are recomputed; else cached keys stay unchanged
     */
    record LongContext(int trained, LongFunction<double[]> frequencies, boolean once) {}

    /** Returns whether keys of texts of the two lengths rotate by different angles. */
    public boolean rotatesDifferently(long length, long other) {
        return longContext != null && longContext.once && length <= longContext.trained != other <= longContext.trained;
    }

    /** The longest text with the plain frequencies. */
    public int maxStablePositions() {
        return longContext == null ? Integer.MAX_VALUE : longContext.trained;
    }

    private double[] frequencies(Tensor positions, long seen) {
        if (longContext == null || positions.numel() == 0) {
            return frequencies;
        }
        long last = Tensors.longs(positions.max())[0] + 1;
        long length = Math.max(last, seen);
        return length > longContext.trained ? longContext.frequencies.apply(length) : frequencies;
    }

    /**
     * Returns cosines and sines for positions {@code [batch or 1, seq]}.
     *
     * @param type fp32 or wider
     * @param seen the length of the longest text so far, if later positions of the same texts are known; else 0
     */
    public Angles at(Tensor positions, ScalarType type, long seen) {
        double[] wide = frequencies(positions, seen);
        float[] narrow = new float[wide.length];
        for (int i = 0; i < narrow.length; i++) {
            narrow[i] = (float) wide[i];
        }
        Tensor angles = Ops.to(
                Ops.to(positions, ScalarType.Float)
                        .unsqueeze(-1)
                        .mul(Tensors.of(narrow, narrow.length))
                        .unsqueeze(1),
                type);
        Tensor cos = eachAlone(angles, Tensor::cos);
        Tensor sin = eachAlone(angles, Tensor::sin);
        return scale == 1
                ? Angles.of(cos, sin, interleaved)
                : Angles.of(Ops.scale(cos, scale), Ops.scale(sin, scale), interleaved);
    }

    /**
     * Cosines and sines are made of several numbers at once, and in another way where one of those is large. So rows, which may be texts
     * of several people, have theirs made apart: they don't depend on how long the others' texts are.
     */
    private static Tensor eachAlone(Tensor angles, UnaryOperator<Tensor> function) {
        if (angles.size(0) == 1) {
            return function.apply(angles);
        }
        Tensor[] rows = new Tensor[(int) angles.size(0)];
        for (int row = 0; row < rows.length; row++) {
            rows[row] = function.apply(angles.narrow(0, row, 1));
        }
        return Ops.cat(0, rows);
    }

    /**
     * Cosines and sines of a pass's positions for each value of a head, {@code [batch or 1, 1, seq, headDim]}. A value is multiplied by the
     * cosine, the other value of its pair by the sine, which is negative for the first of a pair.
     *
     * @param interleaved whether pairs are neighbours
     * @param back whether they rotate by the negative angles
     */
    public record Angles(Tensor cos, Tensor sin, boolean interleaved, boolean back) {
        /** Returns the angles for the cosines and sines of each pair. */
        private static Angles of(Tensor cos, Tensor sin, boolean neighbours) {
            return new Angles(both(cos, cos, neighbours), both(sin.neg(), sin, neighbours), neighbours, false);
        }

        private static Tensor both(Tensor first, Tensor second, boolean neighbours) {
            return neighbours
                    ? torch.stack(new TensorVector(first, second), 4).flatten(3, 4)
                    : Ops.cat(3, first, second);
        }

        /** Returns the angles in another type. */
        public Angles to(ScalarType type) {
            return new Angles(Ops.to(cos, type), Ops.to(sin, type), interleaved, back);
        }

        /** Returns the angles of the inverse rotation, with the same scale. */
        public Angles inverse() {
            return new Angles(cos, sin, interleaved, !back);
        }

        /**
         * Rotates x {@code [batch, heads, seq, headDim]}, or only the first values of each head if there are fewer angles.
         */
        public Tensor rotate(Tensor x) {
            Tensor fused = interleaved || x.requires_grad()
                    ? null
                    : FusedAttention.rotate(x, cos.contiguous(), sin.contiguous(), back);
            if (fused != null) {
                return fused;
            }
            long turned = cos.size(3);
            if (turned < x.size(3)) {
                return Ops.cat(3, rotate(x.narrow(3, 0, turned)), x.narrow(3, turned, x.size(3) - turned));
            }
            return x.mul(cos).addcmul_(others(x, turned / 2), sin, new Scalar(back ? -1.0 : 1.0));
        }

        /** Returns the other value of the pair for each value. */
        private Tensor others(Tensor x, long pairs) {
            return interleaved
                    ? x.unflatten(3, pairs, 2).roll(new long[] {1}, 4).flatten(3, 4)
                    : x.roll(new long[] {pairs}, 3);
        }
    }
}
