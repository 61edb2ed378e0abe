package dev.graft.models;

import dev.graft.formats.Fields;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Rotary position embedding (Su et al., 2021), in the half-split form of Hugging Face's Llama: pair i of a head is
 * (x[i], x[i + d/2]), turned by position · frequency[i].
 *
 * @param frequencies {@code [headDim / 2]}, or fewer where only the first values of a head are turned
 */
public record Rope(double[] frequencies) {
    /**
     * Reads {@code rope_parameters} (transformers 5) or {@code rope_theta} and {@code rope_scaling} (before).
     *
     * @throws dev.graft.formats.FormatException if the rope type isn't default, linear or llama3
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
        return of(parameters(config), config.number("rope_theta", absentTheta), headDim, part);
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
            return of(all.objectOrNull(kind), theta, headDim, 1);
        }
        boolean scaled = kind.equals("full_attention");
        return of(scaled ? config.objectOrNull("rope_scaling") : null, theta, headDim, 1);
    }

    private static @Nullable Fields parameters(Fields config) {
        Fields rope = config.objectOrNull("rope_parameters");
        return rope == null ? config.objectOrNull("rope_scaling") : rope;
    }

    private static Rope of(@Nullable Fields rope, double absentTheta, int headDim, double absentPart) {
        double theta = rope == null ? absentTheta : rope.number("rope_theta", absentTheta);
        double part = rope == null ? absentPart : rope.number("partial_rotary_factor", absentPart, 0, 1);
        int turned = (int) (headDim * part);
        double[] plain = new double[(turned + 1) / 2];
        for (int i = 0; i < plain.length; i++) {
            plain[i] = Math.pow(theta, -2.0 * i / turned);
        }
        String type = rope == null ? "default" : rope.string("rope_type", rope.string("type", "default"));
        if (rope == null || type.equals("default")) {
            return new Rope(plain);
        }
        return switch (type) {
            case "linear" -> new Rope(divided(plain, rope.number("factor")));
            case "llama3" -> llama3(plain, rope);
            default -> throw rope.wrong("rope_type", "one of default, linear, llama3");
        };
    }

    private static double[] divided(double[] frequencies, double factor) {
        double[] result = frequencies.clone();
        for (int i = 0; i < result.length; i++) {
            result[i] /= factor;
        }
        return result;
    }

    /** Llama 3.1: long wavelengths are stretched by the factor, short ones kept, those between blended. */
    private static Rope llama3(double[] plain, Fields rope) {
        double factor = rope.number("factor");
        double low = rope.number("low_freq_factor");
        double high = rope.number("high_freq_factor");
        double context = rope.integer("original_max_position_embeddings");
        double[] result = plain.clone();
        for (int i = 0; i < result.length; i++) {
            double wavelength = 2 * Math.PI / plain[i];
            if (wavelength > context / low) {
                result[i] = plain[i] / factor;
            } else if (wavelength >= context / high) {
                double smooth = (context / wavelength - low) / (high - low);
                result[i] = (1 - smooth) * plain[i] / factor + smooth * plain[i];
            }
        }
        return new Rope(result);
    }

    /**
     * Cosines and sines for positions {@code [batch or 1, seq]}.
     *
     * @param type fp32 or wider
     */
    public Angles at(Tensor positions, ScalarType type) {
        float[] narrow = new float[frequencies.length];
        for (int i = 0; i < narrow.length; i++) {
            narrow[i] = (float) frequencies[i];
        }
        Tensor angles = Ops.to(
                Ops.to(positions, ScalarType.Float)
                        .unsqueeze(-1)
                        .mul(Tensors.of(narrow, narrow.length))
                        .unsqueeze(1),
                type);
        return new Angles(angles.cos(), angles.sin());
    }

    /** Cosines and sines of a pass's positions, each {@code [batch or 1, 1, seq, headDim / 2]}. */
    public record Angles(Tensor cos, Tensor sin) {
        /** The same in another type. */
        public Angles to(ScalarType type) {
            return new Angles(Ops.to(cos, type), Ops.to(sin, type));
        }

        /** The angles that turn back. */
        Angles inverse() {
            return new Angles(cos, sin.neg());
        }

        /** Turns x {@code [batch, heads, seq, headDim]}, or the first values of each head where there are angles for those alone. */
        public Tensor rotate(Tensor x) {
            long turned = 2 * cos.size(3);
            if (turned < x.size(3)) {
                return Ops.cat(3, rotate(x.narrow(3, 0, turned)), x.narrow(3, turned, x.size(3) - turned));
            }
            TensorVector halves = x.unflatten(3, 2, x.size(3) / 2).unbind(3);
            Tensor first = halves.get(0);
            Tensor second = halves.get(1);
            return Ops.cat(
                    3,
                    first.mul(cos).addcmul_(second, sin, new Scalar(-1.0)),
                    second.mul(cos).addcmul_(first, sin, new Scalar(1.0)));
        }
    }
}
