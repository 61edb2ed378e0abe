package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.attention.AttentionWindow;
import dev.graft.models.attention.Rope;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.functions.Activation;
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
 * Llama 4's text models (Meta, 2025): a {@link LlamaDecoder} with mixtures of experts in all layers or some. Most
 * layers rotate queries and keys, normalise each head without weights and see their own chunk of the text. Others have
 * no positions, see everything, and tune the temperature of their scores.
 */
public class Llama4 extends LlamaFamily {
    /** Reads {@code model_type: llama4_text}. */
    public Llama4() {
        this("llama4_text", "model.");
    }

    private Llama4(String modelType, String prefix) {
        super(modelType, "Llama4", prefix);
    }

    /**
     * The text part of a model that also reads pictures. It ignores the parts for pictures; a saved model keeps them.
     */
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
        public boolean passesThrough(String tensor) {
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
    LlamaConfig config(Fields f) {
        LlamaDecoder.Size size = LlamaConfig.size(f, 131_072);
        LlamaConfig.Heads heads = LlamaConfig.Heads.read(f, size, 8, 128);
        boolean normed = f.bool("use_qk_norm", true);
        return new LlamaConfig(
                size,
                normed ? heads.withNorm(LlamaConfig.HeadNorm.UNWEIGHTED) : heads,
                new LlamaConfig.Mlp(
                        "feed_forward",
                        f.integer("intermediate_size_mlp", 16_384, 1),
                        false,
                        false,
                        Activation.read(f, "hidden_act", "silu")),
                LlamaConfig.Norms.read(f, 1e-5),
                Embedding.padding(f, -1),
                kinds(f, size, rope(f, heads.dim(), normed)));
    }

    private static Rope rope(Fields f, int dim, boolean normed) {
        Rope rope = RopeScaling.read(f, dim, 5e5).withInterleaved(true);
        if (normed && rope.scale() != 1) {
            throw f.invalid(
                    "use_qk_norm",
                    "false where rope_parameters scale what is turned: the norm would take the scale away again");
        }
        return rope;
    }

    private static List<LlamaConfig.LayerKind> kinds(Fields f, LlamaDecoder.Size size, Rope rope) {
        List<Integer> turned = f.integersOrNull("no_rope_layers");
        int every = f.integer("no_rope_layer_interval", 4, 1);
        if (turned == null || turned.isEmpty()) {
            turned = IntStream.rangeClosed(1, size.layers())
                    .mapToObj(i -> i % every == 0 ? 0 : 1)
                    .toList();
        } else if (turned.size() != size.layers()) {
            throw f.invalid("no_rope_layers", "one number for each of " + size.layers() + " layers");
        }
        Integer chunk = f.has("attention_chunk_size")
                ? f.integerOrNull("attention_chunk_size", 1, Integer.MAX_VALUE)
                : Integer.valueOf(8192);
        List<Integer> positions = turned;
        List<String> types =
                LayerTypes.types(f, size, LayerTypes.CHUNKED, layer -> chunk == null || positions.get(layer) == 0);
        if (chunk == null && types.contains(LayerTypes.CHUNKED)) {
            throw f.invalid("attention_chunk_size", "a size, as layer_types has " + LayerTypes.CHUNKED);
        }
        AttentionWindow own = chunk == null ? AttentionWindow.ALL : AttentionWindow.chunk(chunk);
        AttentionTemperature temperature = temperature(f);
        MixtureOfExperts.Config experts = experts(f);
        List<Integer> mixed = mixed(f, size);
        List<LlamaConfig.LayerKind> kinds = new ArrayList<>();
        for (int i = 0; i < size.layers(); i++) {
            boolean turns = positions.get(i) != 0;
            kinds.add(new LlamaConfig.LayerKind(
                    turns ? rope : null,
                    types.get(i).equals(LayerTypes.CHUNKED) ? own : AttentionWindow.ALL,
                    turns ? null : temperature,
                    mixed.contains(i) ? experts : null));
        }
        return List.copyOf(kinds);
    }

    /** Reads the temperature; the published files have a number in place of true. */
    private static @Nullable AttentionTemperature temperature(Fields f) {
        JsonNode given = f.node("attn_temperature_tuning");
        boolean tuned =
                given != null && given.isNumber() ? given.doubleValue() != 0 : f.bool("attn_temperature_tuning", true);
        return tuned
                ? new AttentionTemperature(
                        f.number("floor_scale", 8192, 1, Integer.MAX_VALUE), f.number("attn_scale", 0.1))
                : null;
    }

    private static MixtureOfExperts.Config experts(Fields f) {
        if (f.number("router_jitter_noise", 0) != 0) {
            throw f.invalid("router_jitter_noise", "0: noise on what the router sees isn't supported");
        }
        int count = f.integer("num_local_experts", 16, 1);
        return new MixtureOfExperts.Config(
                count,
                f.integer("num_experts_per_tok", 1, 1, count),
                f.integer("intermediate_size"),
                MixtureOfExperts.Gate.INPUT_SIGMOID,
                true,
                Activation.read(f, "hidden_act", "silu"),
                new MixtureOfExperts.Names("feed_forward", "router", null),
                0);
    }

    /** Returns the layers with experts: {@code moe_layers}, or layers at a regular interval. */
    private static List<Integer> mixed(Fields f, LlamaDecoder.Size size) {
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
