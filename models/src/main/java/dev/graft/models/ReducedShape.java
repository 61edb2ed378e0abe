package dev.graft.models;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.models.weights.Weights;
import dev.graft.tensor.Numerics;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The shape of a smaller network of the model's own family: its first layers, optionally narrower.
 *
 * @param layers the number of layers, at most as many as the model has
 * @param hidden the size of a hidden state, null for the model's
 * @param heads the number of attention heads, null for the model's
 * @param intermediate the inner size of the feed-forward block, null for the model's
 */
public record ReducedShape(
        int layers,
        @Nullable Integer hidden,
        @Nullable Integer heads,
        @Nullable Integer intermediate) {
    /**
     * Lists with a value for each layer; {@code attention_types} of GPT-Neo says how often kinds follow one another, and Nemotron-H's
     * {@code hybrid_override_pattern} has a letter for each.
     */
    private static final List<String> BY_LAYER = List.of("layer_types", "layers_block_type", "no_rope_layers");

    /**
     * Builds a network of this shape without a head, in fp32 or wider. Its parameters have the names of a bare model.
     *
     * @param initializer creates its parameters
     */
    public Backbone build(Base base, Weights.Initializer initializer) {
        Architecture family = base.architecture();
        Weights weights = new Weights(
                base.checkpoint().tensors(), new Numerics(base.numerics().small()), initializer);
        Base.Options options = base.options();
        Backbone built = family.build(
                        config(base.config(), base.backbone().size(), family),
                        weights,
                        new Architecture.HeadSpec(Task.FEATURE_EXTRACTION, 0, options.pooling(), options.seed()))
                .backbone();
        require(built, family);
        return built;
    }

    /** Returns the configuration from which transformers' class would build such a network. */
    private Fields config(Fields config, Backbone.Size model, Architecture family) {
        if (layers < 1 || layers > model.layers()) {
            throw new InputException("a mirror of " + config.source() + " is to have " + layers
                    + " layers, expected 1 to " + model.layers() + " as the model");
        }
        ObjectNode smaller = config.copy();
        put(smaller, layers, "num_hidden_layers", "n_layer", "num_layers", "n_layers");
        if (family.keepsHeadSize() && config.integerOrNull("head_dim") == null) {
            smaller.put("head_dim", model.hidden() / model.heads());
        }
        put(smaller, hidden, "hidden_size", "n_embd", "n_embed", "d_model");
        put(smaller, heads, "num_attention_heads", "n_head", "num_heads", "n_heads");
        put(smaller, intermediate, "intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size");
        for (String field : BY_LAYER) {
            JsonNode all = smaller.get(field);
            if (all != null && all.isArray()) {
                ArrayNode first = smaller.putArray(field);
                all.valueStream().limit(layers).forEach(first::add);
            }
        }
        JsonNode letters = smaller.get("hybrid_override_pattern");
        if (letters != null && letters.isString() && letters.stringValue().length() > layers) {
            smaller.put("hybrid_override_pattern", letters.stringValue().substring(0, layers));
        }
        JsonNode kinds = smaller.get("attention_types");
        if (kinds != null && kinds.isArray()) {
            ArrayNode first = JsonNodeFactory.instance.arrayNode();
            for (JsonNode part : kinds) {
                for (int i = 0; i < part.path(1).asInt(0); i++) {
                    part.path(0).forEach(kind -> {
                        if (first.size() < layers) {
                            first.add(kind);
                        }
                    });
                }
            }
            smaller.putArray("attention_types").addArray().add(first).add(1);
        }
        return Fields.of(config.source(), smaller);
    }

    /**
     * Refuses a network of other sizes, whose family names them otherwise.
     *
     * @throws InputException naming the family
     */
    private void require(Backbone made, Architecture family) {
        Backbone.Size size = made.size();
        boolean asAsked = size.layers() == layers
                && (hidden == null || size.hidden() == hidden)
                && (heads == null || size.heads() == heads)
                && (intermediate == null
                        || made.sites().stream()
                                .allMatch(site -> !(site instanceof Linear linear)
                                        || linear.role() != Role.UP
                                        || linear.out() == intermediate));
        if (!asAsked) {
            throw new InputException("a smaller network of a " + family.modelType()
                    + " can't be made with other sizes: its config.json names layers, sizes or heads in a way"
                    + " of its own");
        }
    }

    /** Under those names that the configuration has, the first where it has none of them. */
    private static void put(ObjectNode config, @Nullable Integer value, String... names) {
        if (value != null) {
            List<String> there = Stream.of(names).filter(config::has).toList();
            (there.isEmpty() ? List.of(names[0]) : there).forEach(name -> config.put(name, value));
        }
    }
}
