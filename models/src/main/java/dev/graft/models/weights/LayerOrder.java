package dev.graft.models.weights;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.node.ObjectNode;

/**
 * A model whose layers occur in another order or repeatedly, as if it had more of them. Layer i is the checkpoint's layer {@code layers[i]}, with
 * the same tensors.
 */
public record LayerOrder(List<Integer> layers) {
    private static final Pattern LAYER = Pattern.compile("((?:.*\\.)?(?:layers?|blocks|h)\\.)(\\d+)(\\..*)");
    private static final String DEPTH = "num_hidden_layers";
    private static final List<String> KINDS = List.of("layer_types", "layers_block_type", "hybrid_override_pattern");

    private static final String SEVERAL = "its layers are of several kinds, so they can't be repeated";

    public LayerOrder {
        layers = List.copyOf(layers);
    }

    /** Returns the name of a layer's tensor in the checkpoint. */
    String stored(String asked) {
        Matcher named = LAYER.matcher(asked);
        return named.matches() ? named.group(1) + layers.get(Integer.parseInt(named.group(2))) + named.group(3) : asked;
    }

    /**
     * Refuses layers whose kind depends on their position.
     *
     * @param mixed whether the layers of the model are of several kinds
     */
    public static void requireAlike(String model, boolean mixed) {
        if (mixed) {
            throw new InputException(model + ": " + SEVERAL);
        }
    }

    /** Returns a model's configuration with this number of layers. */
    public Fields of(Fields config) {
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
