package dev.graft.models.attention;

import dev.graft.formats.Fields;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The scaling of rotary positions beyond the context that a model was trained on: the values of {@code rope_type}.
 *
 * @param rope its fields, including {@code rope_type}, one of {@link #TYPES}
 * @param config the whole configuration, for the lengths of its context
 * @param theta the base of the frequencies
 * @param turned the number of values of each head that rotate
 */
public record RopeScaling(Fields rope, Fields config, double theta, int turned) {
    /** Returns the plain frequencies of the first {@code turned} values of each head, an even number, in pairs of neighbours. */
    public static Rope ofInterleaved(double theta, int turned) {
        return new Rope(frequencies(theta, turned)).withInterleaved(true);
    }

    /**
     * Reads {@code rope_parameters} (transformers 5) or {@code rope_theta} and {@code rope_scaling} (before).
     *
     * @throws dev.graft.formats.FormatException if the rope type isn't one of default, linear, dynamic, yarn, longrope and llama3
     */
    public static Rope read(Fields config, int headDim) {
        return read(config, headDim, 10_000);
    }

    /** Reads a configuration, with a default for the base. */
    public static Rope read(Fields config, int headDim, double absentTheta) {
        return read(config, headDim, absentTheta, 1);
    }

    /** Reads a configuration, with defaults for the base and for the rotated part of each head. */
    public static Rope read(Fields config, int headDim, double absentTheta, double absentPart) {
        double part = config.number("partial_rotary_factor", absentPart, 0, 1);
        return of(parameters(config), config, config.number("rope_theta", absentTheta), headDim, part);
    }

    /**
     * Reads the positions of one kind of layer in models with several kinds.
     *
     * @param kind its name in {@code layer_types}
     * @param field the field of the kind's base in older files
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
        double theta = rope == null ? absentTheta : rope.number("rope_theta", absentTheta);
        double part = rope == null ? absentPart : rope.number("partial_rotary_factor", absentPart, 0, 1);
        require(config, theta, (int) (headDim * part), headDim);
        if (rope == null) {
            return new Rope(frequencies(theta, (int) (headDim * part)));
        }
        return new RopeScaling(rope, config, theta, (int) (headDim * part)).rope(type(rope));
    }

    private static void require(Fields config, double theta, int turned, int headDim) {
        if (!(theta > 0)) {
            throw config.error("rope_theta", "is " + theta + ", expected a number above 0");
        }
        int rounded = (turned + 1) / 2 * 2;
        if (turned < 1 || rounded > headDim) {
            throw config.error("has heads of " + headDim + " values, of which " + turned
                    + " rotate in pairs; expected at least one, and room for " + rounded);
        }
    }

    static String type(Fields rope) {
        return rope.string("rope_type", rope.string("type", "default"));
    }

    /** Returns {@code max_position_embeddings}, or more if positions are stretched for longer texts. */
    public static int positions(Fields config, int absent) {
        return stretched(parameters(config), config.integer("max_position_embeddings", absent));
    }

    static final Set<String> TYPES = Set.of("default", "linear", "dynamic", "yarn", "longrope", "su", "llama3");

    /** Every field that one of the types reads. */
    private static final Collection<String> FIELDS = Set.of(
            "rope_type",
            "type",
            "rope_theta",
            "partial_rotary_factor",
            "factor",
            "original_max_position_embeddings",
            "attention_factor",
            "beta_fast",
            "beta_slow",
            "mscale",
            "mscale_all_dim",
            "truncate",
            "short_factor",
            "long_factor",
            "low_freq_factor",
            "high_freq_factor");

    Rope rope(String type) {
        for (String name : rope.names()) {
            if (!FIELDS.contains(name)) {
                throw rope.invalid(name, "no such field: rotary positions are described by " + List.copyOf(FIELDS));
            }
        }
        double[] plain = frequencies(theta, turned);
        return switch (type) {
            case "default" -> new Rope(plain);
            case "linear" -> new Rope(divided(plain, factor()));
            case "dynamic" -> dynamic(plain);
            // Phi-3's first files say yarn where they have the factors of longrope.
            case "yarn" -> rope.has("short_factor") ? longrope(plain) : yarn(plain);
            case "longrope", "su" -> longrope(plain);
            case "llama3" -> new Rope(llama3(plain));
            default ->
                throw rope.invalid(
                        rope.has("rope_type") ? "rope_type" : "type",
                        "one of " + String.join(", ", TYPES.stream().sorted().toList()));
        };
    }

    /** {@code theta^(-2i / turned)}; an odd number of values is one more, as in transformers. */
    static double[] frequencies(double theta, int turned) {
        double[] plain = new double[(turned + 1) / 2];
        for (int i = 0; i < plain.length; i++) {
            plain[i] = Math.pow(theta, -2.0 * i / turned);
        }
        return plain;
    }

    /** The longest text that positions reach, which dynamic scaling stretches. */
    private static int stretched(@Nullable Fields rope, int trained) {
        if (rope == null || !type(rope).equals("dynamic")) {
            return trained;
        }
        return (int) Math.min(Integer.MAX_VALUE, trained * rope.number("factor"));
    }

    private double factor() {
        return positive("factor", rope.number("factor"));
    }

    private double positive(String name, double value) {
        if (!(value > 0)) {
            throw rope.invalid(name, "a number above 0");
        }
        return value;
    }

    /** The context that the frequencies were trained on. */
    private int trained() {
        for (Fields fields : List.of(config, rope)) {
            Integer length = fields.integerOrNull("original_max_position_embeddings", 1, Integer.MAX_VALUE);
            if (length != null) {
                return length;
            }
        }
        return config.integer("max_position_embeddings");
    }

    /** The factor, or by how much the context grew. */
    private double grown() {
        Double given = rope.numberOrNull("factor");
        if (given != null) {
            return positive("factor", given);
        }
        int length = config.integer("max_position_embeddings");
        if (length < 1) {
            throw config.invalid("max_position_embeddings", "a number above 0");
        }
        return (double) length / trained();
    }

    private static double[] divided(double[] frequencies, double factor) {
        double[] result = frequencies.clone();
        for (int i = 0; i < result.length; i++) {
            result[i] /= factor;
        }
        return result;
    }

    /** NTK-aware scaling by the length of the text: a larger base, so that only long wavelengths are stretched. */
    private Rope dynamic(double[] plain) {
        double factor = factor();
        int trained = config.integer("max_position_embeddings");
        double exponent = turned / (turned - 2.0);
        return new Rope(
                plain,
                1,
                new Rope.LongContext(
                        trained,
                        length -> frequencies(
                                theta * Math.pow(factor * length / trained - (factor - 1), exponent), turned),
                        false));
    }

    /** YaRN (Peng et al., 2023): wavelengths that turn seldom in the trained context are stretched, those that turn often kept. */
    private Rope yarn(double[] plain) {
        double factor = grown();
        boolean whole = rope.bool("truncate", true);
        double first = turningAt(orAbsent("beta_fast", 32));
        double last = turningAt(orAbsent("beta_slow", 1));
        first = Math.max(whole ? Math.floor(first) : first, 0);
        last = Math.min(whole ? Math.ceil(last) : last, turned - 1);
        double width = first == last ? 0.001 : last - first;
        double[] result = plain.clone();
        for (int i = 0; i < result.length; i++) {
            double stretched = Math.min(1, Math.max(0, (i - first) / width));
            result[i] = plain[i] * (1 - stretched) + plain[i] / factor * stretched;
        }
        return new Rope(result, yarnScale(factor), null);
    }

    /** The pair that turns so often in the trained context. */
    private double turningAt(double rotations) {
        return turned * Math.log(trained() / (rotations * 2 * Math.PI)) / (2 * Math.log(theta));
    }

    private double yarnScale(double factor) {
        Double given = rope.numberOrNull("attention_factor");
        if (given != null) {
            return given;
        }
        double one = orAbsent("mscale", 0);
        double all = orAbsent("mscale_all_dim", 0);
        return one != 0 && all != 0 ? magnitude(factor, one) / magnitude(factor, all) : magnitude(factor, 1);
    }

    private static double magnitude(double factor, double scale) {
        return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
    }

    /** A number that 0 and null leave at its default. */
    private double orAbsent(String name, double absent) {
        Double given = rope.numberOrNull(name);
        return given == null || given == 0 ? absent : given;
    }

    /** LongRoPE (Ding et al., 2024): each wavelength has two factors, for texts within the trained context and for longer ones. */
    private Rope longrope(double[] plain) {
        double[] shorter = divided(plain, factors("short_factor"));
        double[] longer = divided(plain, factors("long_factor"));
        int trained = trained();
        double factor = grown();
        Double given = rope.numberOrNull("attention_factor");
        double scale = given != null ? given : factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(trained));
        return new Rope(shorter, scale, new Rope.LongContext(trained, length -> longer, true));
    }

    private static double[] divided(double[] frequencies, double[] factors) {
        double[] result = frequencies.clone();
        for (int i = 0; i < result.length; i++) {
            result[i] /= factors[i];
        }
        return result;
    }

    private double[] factors(String name) {
        String expected = "a number for each of " + turned / 2 + " wavelengths";
        List<JsonNode> given = rope.list(name);
        if (given.size() != turned / 2) {
            throw rope.invalid(name, expected);
        }
        double[] factors = new double[given.size()];
        for (int i = 0; i < factors.length; i++) {
            factors[i] = given.get(i).isNumber() ? given.get(i).doubleValue() : 0;
            if (!(factors[i] > 0)) {
                throw rope.invalid(name, expected);
            }
        }
        return factors;
    }

    /** Llama 3.1: long wavelengths are stretched by the factor, short ones kept, those between blended. */
    private double[] llama3(double[] plain) {
        double factor = factor();
        double low = rope.number("low_freq_factor");
        double high = rope.number("high_freq_factor");
        double context = trained();
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
        return result;
    }
}
