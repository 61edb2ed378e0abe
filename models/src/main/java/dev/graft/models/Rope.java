package dev.graft.models;

import dev.graft.formats.Fields;
import dev.graft.tensor.FusedAttention;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.function.LongFunction;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Rotary position embedding (Su et al., 2021): pair i of a head is turned by position · frequency[i]. A pair is (x[i], x[i + d/2]), the
 * half-split form of Hugging Face's Llama, or two neighbours (x[2i], x[2i + 1]), as in GPT-J.
 *
 * @param frequencies {@code [headDim / 2]}, or fewer where only the first values of a head are turned
 * @param scale what turned values are multiplied by
 * @param beyond what holds for longer texts, or null
 * @param neighbours whether pairs are neighbours
 */
public record Rope(
        double[] frequencies, double scale, @Nullable Beyond beyond, boolean neighbours) {
    /** Positions that are turned alike in texts of any length. */
    public Rope(double[] frequencies) {
        this(frequencies, 1, null);
    }

    Rope(double[] frequencies, double scale, @Nullable Beyond beyond) {
        this(frequencies, scale, beyond, false);
    }

    /** The plain frequencies of the first so many values of each head, in pairs of neighbours. */
    public static Rope ofNeighbours(double theta, int turned) {
        return new Rope(RopeScaling.frequencies(theta, turned)).inNeighbours();
    }

    /** The same frequencies for pairs of neighbours. */
    public Rope inNeighbours() {
        return new Rope(frequencies, scale, beyond, true);
    }

    /**
     * Other frequencies where the last position of a batch is beyond the trained context, as in transformers.
     *
     * @param trained the longest text that the plain frequencies hold for
     * @param frequencies those of a text of that length
     * @param once whether they change once, so that what a cache holds is made again; else its keys stay as they are
     */
    record Beyond(int trained, LongFunction<double[]> frequencies, boolean once) {}

    /**
     * Reads {@code rope_parameters} (transformers 5) or {@code rope_theta} and {@code rope_scaling} (before).
     *
     * @throws dev.graft.formats.FormatException if the rope type isn't one of default, linear, dynamic, yarn, longrope and llama3
     */
    public static Rope read(Fields config, int headDim) {
        return read(config, headDim, 10_000);
    }

    /** The same with the base that a family takes where config.json says nothing. */
    public static Rope read(Fields config, int headDim, double absentTheta) {
        return read(config, headDim, absentTheta, 1);
    }

    /** The same with the part of each head that is turned where config.json says nothing. */
    public static Rope read(Fields config, int headDim, double absentTheta, double absentPart) {
        double part = config.number("partial_rotary_factor", absentPart, 0, 1);
        return of(parameters(config), config, config.number("rope_theta", absentTheta), headDim, part);
    }

    /**
     * Reads the positions of one kind of layer, where kinds differ.
     *
     * @param kind its name in {@code layer_types}
     * @param field where older files have the kind's base
     */
    public static Rope read(Fields config, String kind, int headDim, String field, double absentTheta) {
        Fields all = config.objectOrNull("rope_parameters");
        double theta = config.number(field, absentTheta);
        if (all != null) {
            return of(all.objectOrNull(kind), config, theta, headDim, 1);
        }
        boolean scaled = kind.equals("full_attention");
        return of(scaled ? config.objectOrNull("rope_scaling") : null, config, theta, headDim, 1);
    }

    private static @Nullable Fields parameters(Fields config) {
        Fields rope = config.objectOrNull("rope_parameters");
        return rope == null ? config.objectOrNull("rope_scaling") : rope;
    }

    private static Rope of(@Nullable Fields rope, Fields config, double absentTheta, int headDim, double absentPart) {
        if (rope == null) {
            return new Rope(RopeScaling.frequencies(absentTheta, (int) (headDim * absentPart)));
        }
        double theta = rope.number("rope_theta", absentTheta);
        double part = rope.number("partial_rotary_factor", absentPart, 0, 1);
        return new RopeScaling(rope, config, theta, (int) (headDim * part)).rope(type(rope));
    }

    static String type(Fields rope) {
        return rope.string("rope_type", rope.string("type", "default"));
    }

    /** {@code max_position_embeddings}, or more where positions are stretched as texts grow. */
    public static int positions(Fields config, int absent) {
        return RopeScaling.positions(parameters(config), config.integer("max_position_embeddings", absent));
    }

    /** Whether keys that were turned in a text of one length have other angles in a text of the other. */
    public boolean turnsAnew(long length, long other) {
        return beyond != null && beyond.once && length <= beyond.trained != other <= beyond.trained;
    }

    /** The longest text that the plain frequencies hold for. */
    public int steadyPositions() {
        return beyond == null ? Integer.MAX_VALUE : beyond.trained;
    }

    private double[] frequencies(Tensor positions, @Nullable KvCache cache) {
        if (beyond == null || positions.numel() == 0) {
            return frequencies;
        }
        long last = Tensors.longs(positions.max())[0] + 1;
        long length = cache == null ? last : Math.max(last, cache.reach());
        return length > beyond.trained ? beyond.frequencies.apply(length) : frequencies;
    }

    /**
     * Cosines and sines for positions {@code [batch or 1, seq]}.
     *
     * @param type fp32 or wider
     * @param cache what knows of later positions of the same texts, or null
     */
    public Angles at(Tensor positions, ScalarType type, @Nullable KvCache cache) {
        double[] wide = frequencies(positions, cache);
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
                ? Angles.of(cos, sin, neighbours)
                : Angles.of(Ops.scale(cos, scale), Ops.scale(sin, scale), neighbours);
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
     * Cosines and sines of a pass's positions for each value of a head, {@code [batch or 1, 1, seq, headDim]}: a value is multiplied by the cosine, and
     * the other one of its pair by the sine, which is negative for the first of a pair.
     *
     * @param neighbours whether they turn pairs of neighbours
     * @param back whether they turn by the negative angles
     */
    public record Angles(Tensor cos, Tensor sin, boolean neighbours, boolean back) {
        /** Of cosines and sines for each pair. */
        private static Angles of(Tensor cos, Tensor sin, boolean neighbours) {
            return new Angles(both(cos, cos, neighbours), both(sin.neg(), sin, neighbours), neighbours, false);
        }

        private static Tensor both(Tensor first, Tensor second, boolean neighbours) {
            return neighbours
                    ? torch.stack(new TensorVector(first, second), 4).flatten(3, 4)
                    : Ops.cat(3, first, second);
        }

        /** The same in another type. */
        public Angles to(ScalarType type) {
            return new Angles(Ops.to(cos, type), Ops.to(sin, type), neighbours, back);
        }

        /** The angles that turn back; a scale stays. */
        Angles inverse() {
            return new Angles(cos, sin, neighbours, !back);
        }

        /** Turns x {@code [batch, heads, seq, headDim]}, or the first values of each head where there are angles for those alone. */
        public Tensor rotate(Tensor x) {
            Tensor fused = neighbours || x.requires_grad()
                    ? null
                    : FusedAttention.rotated(x, cos.contiguous(), sin.contiguous(), back);
            if (fused != null) {
                return fused;
            }
            long turned = cos.size(3);
            if (turned < x.size(3)) {
                return Ops.cat(3, rotate(x.narrow(3, 0, turned)), x.narrow(3, turned, x.size(3) - turned));
            }
            return x.mul(cos).addcmul_(others(x, turned / 2), sin, new Scalar(back ? -1.0 : 1.0));
        }

        /** For each value the other one of its pair. */
        private Tensor others(Tensor x, long pairs) {
            return neighbours
                    ? x.unflatten(3, pairs, 2).roll(new long[] {1}, 4).flatten(3, 4)
                    : x.roll(new long[] {pairs}, 3);
        }
    }
}
