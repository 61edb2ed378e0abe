package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Backbone;
import dev.graft.models.functions.Activation;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/**
 * GPT-Neo (Black et al., 2021): GPT-2 whose layers alternately see all positions or a window of them. Scores aren't
 * scaled, and queries, keys and values have no biases.
 */
public final class GptNeo extends GptFamily {
    private static final GptDecoder.Names NAMES = GptDecoder.Names.GPT2
            .withAttention("attn.attention")
            .withProjections(List.of("attn.attention.q_proj", "attn.attention.k_proj", "attn.attention.v_proj"))
            .withOutput("attn.attention.out_proj");

    /** Reads {@code model_type: gpt_neo}. */
    public GptNeo() {
        super("gpt_neo", "GPTNeo");
    }

    @Override
    double classifierDropout(Fields f) {
        return f.number("classifier_dropout", 0.1, 0, 1);
    }

    @Override
    GptDecoder.Config config(Fields f) {
        Backbone.Size size = size(
                f,
                f.integer("vocab_size", 50257),
                f.integer("hidden_size", 2048),
                "num_heads",
                f.integer("num_heads", 16),
                f.integer("num_layers", 24),
                f.integer("max_position_embeddings", 2048));
        int window = f.integer("window_size", 256, 1);
        List<GptDecoder.LayerKind> kinds = types(f, size).stream()
                .map(type -> new GptDecoder.LayerKind(1, type.equals("local") ? window : 0))
                .toList();
        return new GptDecoder.Config(
                size,
                NAMES,
                size.hidden(),
                -1,
                false,
                new GptDecoder.Positions("wpe", 0, false),
                null,
                GptDecoder.Heads.own(size, QkvLayout.PARTS, false, true, f.number("attention_dropout", 0, 0, 1), kinds),
                new GptDecoder.Mlp(
                        intermediate(f, "intermediate_size", size),
                        true,
                        Activation.read(f, "activation_function", "gelu_new")),
                GptDecoder.Norms.before(f.number("layer_norm_epsilon", 1e-5, 0, 1)),
                f.number("embed_dropout", 0, 0, 1),
                f.number("resid_dropout", 0, 0, 1));
    }

    /** Expands {@code attention_types}, a list of {@code [types, how often]}, to global or local for each layer. */
    private static List<String> types(Fields f, Backbone.Size size) {
        List<JsonNode> given = f.listOrNull("attention_types");
        List<String> types = new ArrayList<>();
        for (int i = 0; given == null && i < 12; i++) {
            types.addAll(List.of("global", "local"));
        }
        for (JsonNode part : given == null ? List.<JsonNode>of() : given) {
            for (int i = 0; i < part.path(1).asInt(0); i++) {
                part.path(0).forEach(type -> types.add(type.asString("")));
            }
        }
        if (types.size() != size.layers() || !List.of("global", "local").containsAll(types)) {
            throw f.invalid(
                    "attention_types",
                    "[[types, times], ...] that give global or local to each of " + size.layers() + " layers");
        }
        return types;
    }
}
