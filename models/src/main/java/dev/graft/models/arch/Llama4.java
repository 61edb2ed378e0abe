package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Activation;
import dev.graft.models.Reach;
import dev.graft.models.Rope;
import dev.graft.models.Task;
import dev.graft.models.sites.Embedding;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Llama 4's text models (Meta, 2025): a {@link Decoder} with mixtures of experts in all layers or some. Most layers turn queries and keys,
 * normalise each head without weights and see their own chunk of the text; others have no positions, see everything, and tune the temperature
 * of their scores.
 */
public class Llama4 extends DecoderFamily {
    /** Reads {@code model_type: llama4_text}. */
    public Llama4() {
        this("llama4_text", "model.");
    }

    private Llama4(String modelType, String prefix) {
        super(modelType, "Llama4", prefix);
    }

    /** The text part of a model that reads pictures too, which it has no use for; a saved one keeps what reads them. */
    public static final class WithPictures extends Llama4 {
        /** Reads {@code model_type: llama4}. */
        public WithPictures() {
            super("llama4", "language_model.model.");
        }

        @Override
        public Set<Task> tasks() {
            return EnumSet.of(Task.CAUSAL_LM);
        }

        @Override
        public String className(Task task) {
            return "Llama4ForConditionalGeneration";
        }

        @Override
        public boolean carries(String tensor) {
            return tensor.startsWith("vision_model.") || tensor.startsWith("multi_modal_projector.");
        }

        @Override
        public void untie(ObjectNode config) {
            ((ObjectNode) config.get("text_config")).put("tie_word_embeddings", false);
        }

        @Override
        Fields text(Fields f) {
            return f.object("text_config");
        }

        @Override
        String vocabulary() {
            return "language_model.lm_head";
        }
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.CAUSAL_LM);
    }

    @Override
    public String className(Task task) {
        return task == Task.FEATURE_EXTRACTION ? "Llama4TextModel" : super.className(task);
    }

    @Override
    Decoder.Config config(Fields f) {
        Decoder.Size size = Decoder.size(f, 131_072);
        Decoder.Heads heads = Decoder.Heads.read(f, size, 8, 128);
        boolean normed = f.bool("use_qk_norm", true);
        return new Decoder.Config(
                size,
                normed ? heads.withNorm(Decoder.HeadNorm.UNWEIGHTED) : heads,
                new Decoder.Mlp(
                        "feed_forward",
                        f.integer("intermediate_size_mlp", 16_384, 1),
                        false,
                        false,
                        Activation.read(f, "hidden_act", "silu")),
                Decoder.Norms.read(f, 1e-5),
                Embedding.padding(f, -1),
                kinds(f, size, rope(f, heads.dim(), normed)));
    }

    private static Rope rope(Fields f, int dim, boolean normed) {
        Rope rope = Rope.read(f, dim, 5e5).inNeighbours();
        if (normed && rope.scale() != 1) {
            throw f.wrong(
                    "use_qk_norm",
                    "false where rope_parameters scale what is turned: the norm would take the scale away again");
        }
        return rope;
    }

    private static List<Decoder.Kind> kinds(Fields f, Decoder.Size size, Rope rope) {
        List<Integer> turned = f.integersOrNull("no_rope_layers");
        int every = f.integer("no_rope_layer_interval", 4, 1);
        if (turned == null || turned.isEmpty()) {
            turned = IntStream.rangeClosed(1, size.layers())
                    .mapToObj(i -> i % every == 0 ? 0 : 1)
                    .toList();
        } else if (turned.size() != size.layers()) {
            throw f.wrong("no_rope_layers", "one number for each of " + size.layers() + " layers");
        }
        Integer chunk = f.has("attention_chunk_size")
                ? f.integerOrNull("attention_chunk_size", 1, Integer.MAX_VALUE)
                : Integer.valueOf(8192);
        List<Integer> positions = turned;
        List<String> types = Layers.types(f, size, Layers.CHUNKED, layer -> chunk == null || positions.get(layer) == 0);
        if (chunk == null && types.contains(Layers.CHUNKED)) {
            throw f.wrong("attention_chunk_size", "a size, as layer_types has " + Layers.CHUNKED);
        }
        Reach own = chunk == null ? Reach.ALL : Reach.chunk(chunk);
        Temperature temperature = temperature(f);
        Mixture.Config experts = experts(f);
        List<Integer> mixed = mixed(f, size);
        List<Decoder.Kind> kinds = new ArrayList<>();
        for (int i = 0; i < size.layers(); i++) {
            boolean turns = positions.get(i) != 0;
            kinds.add(new Decoder.Kind(
                    turns ? rope : null,
                    types.get(i).equals(Layers.CHUNKED) ? own : Reach.ALL,
                    turns ? null : temperature,
                    mixed.contains(i) ? experts : null));
        }
        return List.copyOf(kinds);
    }

    /** The published files have a number in place of true. */
    private static @Nullable Temperature temperature(Fields f) {
        JsonNode given = f.node("attn_temperature_tuning");
        boolean tuned =
                given != null && given.isNumber() ? given.doubleValue() != 0 : f.bool("attn_temperature_tuning", true);
        return tuned
                ? new Temperature(f.number("floor_scale", 8192, 1, Integer.MAX_VALUE), f.number("attn_scale", 0.1))
                : null;
    }

    private static Mixture.Config experts(Fields f) {
        if (f.number("router_jitter_noise", 0) != 0) {
            throw f.wrong("router_jitter_noise", "0: noise on what the router sees isn't supported");
        }
        int count = f.integer("num_local_experts", 16, 1);
        return new Mixture.Config(
                count,
                f.integer("num_experts_per_tok", 1, 1, count),
                f.integer("intermediate_size"),
                Mixture.Gate.INPUT_SIGMOID,
                true,
                Activation.read(f, "hidden_act", "silu"),
                new Mixture.Names("feed_forward", "router", null),
                0);
    }

    /** The layers that have experts: {@code moe_layers}, or every so many. */
    private static List<Integer> mixed(Fields f, Decoder.Size size) {
        List<Integer> given = f.integersOrNull("moe_layers");
        int every = f.integer("interleave_moe_layer_step", 1, 1);
        return given != null
                ? given
                : IntStream.range(0, size.layers())
                        .filter(i -> (i + 1) % every == 0)
                        .boxed()
                        .toList();
    }
}
