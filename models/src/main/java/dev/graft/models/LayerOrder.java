package dev.graft.models;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.node.ObjectNode;

/**
 * A model in which layers come in another order or more than once, as if it had more of them. Layer i is the checkpoint's layer
 * {@code layers[i]}, with the same tensors.
 */
record LayerOrder(List<Integer> layers) {
    private static final Pattern LAYER = Pattern.compile("((?:.*\\.)?(?:layers?|blocks|h)\\.)(\\d+)(\\..*)");
    private static final String DEPTH = "num_hidden_layers";
    private static final List<String> KINDS = List.of("layer_types", "layers_block_type", "hybrid_override_pattern");

    private static final String SEVERAL = "its layers are of several kinds, so they can't be repeated";

    LayerOrder {
        layers = List.copyOf(layers);
    }

    /** The name of a layer's tensor in the checkpoint. */
    String stored(String asked) {
        Matcher named = LAYER.matcher(asked);
        return named.matches() ? named.group(1) + layers.get(Integer.parseInt(named.group(2))) + named.group(3) : asked;
    }

    /** Refuses layers that would become others by where they stand. */
    static void requireAlike(Base base) {
        if (base.backbone().layersDiffer()) {
            throw new InputException(base.name() + ": " + SEVERAL);
        }
    }

    /** A model's configuration with as many layers as these. */
    Fields of(Fields config) {
        if (KINDS.stream().anyMatch(config::has)) {
            throw new InputException(config.source() + ": " + SEVERAL);
        }
        int depth = config.integer(DEPTH);
        for (int layer : layers) {
            if (layer < 0 || layer >= depth) {
                throw new InputException("layer " + layer + " is to be repeated, but the base has " + depth
                        + " layers, 0 to " + (depth - 1));
            }
        }
        ObjectNode deeper = config.copy();
        deeper.put(DEPTH, layers.size());
        return Fields.of(config.source(), deeper);
    }
}
