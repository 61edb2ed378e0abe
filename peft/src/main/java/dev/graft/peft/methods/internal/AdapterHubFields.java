package dev.graft.peft.methods.internal;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.functions.Activation;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Site;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The names, and the common fields, of the methods in AdapterHub's configurations. */
public final class AdapterHubFields {
    private static final Map<String, Activation> ACTIVATIONS = Map.of(
            "relu", Activation.RELU,
            "gelu", Activation.GELU,
            "gelu_new", Activation.GELU_TANH,
            "swish", Activation.SILU,
            "silu", Activation.SILU,
            "tanh", Activation.TANH,
            "leakyrelu", Activation.LEAKY_RELU);

    private AdapterHubFields() {}

    /** Returns the prefix of the names of tensors that a model has once, not once for each layer. */
    public static String root(Base base) {
        return base.prefix();
    }

    /** Returns whether a configuration has that architecture. */
    public static boolean isOf(Fields config, String architecture) {
        JsonNode given = config.node("architecture");
        return given != null && given.isString() && given.stringValue().equals(architecture);
    }

    public static Activation activation(String name) {
        Activation activation = ACTIVATIONS.get(name);
        if (activation == null) {
            throw new InputException("non_linearity is \"" + name + "\", expected one of "
                    + ACTIVATIONS.keySet().stream().sorted().toList());
        }
        return activation;
    }

    public static String[] activations() {
        return ACTIVATIONS.keySet().stream().sorted().toArray(String[]::new);
    }

    public static List<Integer> leaveOut(Fields f) {
        List<Integer> layers = f.integersOrNull("leave_out");
        return layers == null ? List.of() : layers;
    }

    /** The number of a site's layer: where there are an encoder and a decoder, the decoder's layers follow the encoder's. */
    public static int layer(Site site, Base base) {
        List<Layer> layers = layers(base);
        for (int i = 0; i < layers.size(); i++) {
            String name = layers.get(i).name();
            if (site.name().equals(name) || site.name().startsWith(name + ".")) {
                return i;
            }
        }
        return site.layer();
    }

    /** Returns all layers, in order. */
    static List<Layer> layers(Base base) {
        return base.sites().stream()
                .filter(Layer.class::isInstance)
                .map(Layer.class::cast)
                .toList();
    }

    public static void requireLayers(String field, Iterable<Integer> layers, Base base) {
        int count = layers(base).size();
        for (int layer : layers) {
            if (layer < 0 || layer >= count) {
                throw new InputException(
                        field + " has layer " + layer + ", but " + base.name() + " has " + count + " layers");
            }
        }
    }

    /** Refuses to leave out every layer. */
    public static void requireSome(List<Integer> leaveOut, Base base) {
        requireLayers("leave_out", leaveOut, base);
        if (!leaveOut.isEmpty()
                && leaveOut.stream().distinct().count() == layers(base).size()) {
            throw new InputException("leave_out has every layer of " + base.name() + ": nothing is left to train");
        }
    }

    public static void requireDropout(String field, double p) {
        if (!(p >= 0 && p < 1)) {
            throw new InputException(field + " is " + p + ", expected 0 or more and less than 1");
        }
    }

    /** Writes a number, a whole one without a point. */
    public static void put(ObjectNode c, String field, double factor) {
        if (factor == Math.rint(factor) && factor < 1e9) {
            c.put(field, (long) factor);
        } else {
            c.put(field, factor);
        }
    }
}
