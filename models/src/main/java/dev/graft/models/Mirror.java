package dev.graft.models;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * How a smaller network of a model's own family differs from the model: its first layers, perhaps narrower.
 *
 * @param layers at most as many as the model has
 * @param hidden the size of a hidden state, null for the model's
 * @param heads the number of attention heads, null for the model's
 * @param intermediate the inner size of the feed-forward block, null for the model's
 */
public record Mirror(
        int layers,
        @Nullable Integer hidden,
        @Nullable Integer heads,
        @Nullable Integer intermediate) {
    /** Lists with a value for each layer. */
    private static final List<String> BY_LAYER = List.of("layer_types", "no_rope_layers");

    /** The configuration of such a network, of which transformers' class would make it. */
    Fields of(Fields config, Backbone.Size model, Architecture family) {
        if (layers < 1 || layers > model.layers()) {
            throw new InputException("a mirror of " + config.source() + " is to have " + layers
                    + " layers, expected 1 to " + model.layers() + " as the model");
        }
        ObjectNode smaller = config.copy();
        put(smaller, layers, "num_hidden_layers", "n_layer");
        if (family.keepsHeadSize() && config.integerOrNull("head_dim") == null) {
            smaller.put("head_dim", model.hidden() / model.heads());
        }
        put(smaller, hidden, "hidden_size", "n_embd");
        put(smaller, heads, "num_attention_heads", "n_head");
        put(smaller, intermediate, "intermediate_size", "n_inner");
        for (String field : BY_LAYER) {
            JsonNode all = smaller.get(field);
            if (all != null && all.isArray()) {
                ArrayNode first = smaller.putArray(field);
                all.valueStream().limit(layers).forEach(first::add);
            }
        }
        return Fields.of(config.source(), smaller);
    }

    /** Under the name that the configuration has, the first where it has none of them. */
    private static void put(ObjectNode config, @Nullable Integer value, String name, String gpt2s) {
        if (value != null) {
            config.put(config.has(gpt2s) ? gpt2s : name, value);
        }
    }
}
