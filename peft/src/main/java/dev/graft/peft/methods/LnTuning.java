package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.Method;
import dev.graft.peft.Targets;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * LayerNorm tuning (Zhao et al., 2023): other weights and biases for the base's normalisations, {@code y = w' ⊙ x̂ + b'}. They start as the base's,
 * so a new adapter changes nothing.
 *
 * <p>Trained: hidden for an RMS norm, 2 · hidden for a layer norm. Files: {@code <module>.ln_tuning_layers.weight [hidden]} and {@code .bias}.
 * Merges: the norm with other values. Use it on bases whose norms have much to say, with little data; it can only stretch and shift
 * what the layers see. PEFT can point it at other modules too, which it then trains whole; here {@code modules_to_save} is for those.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, LnTuning.DEFAULT, 42);
 * }</pre>
 *
 * @param targets the modules; by default all norms, or those that PEFT chooses for the architecture
 */
public record LnTuning(Targets targets) implements Method {
    /** All norms, or those that PEFT chooses for the architecture. */
    public static final LnTuning DEFAULT = new LnTuning(Targets.DEFAULT);

    private static final List<String> AROUND_BLOCKS = List.of("input_layernorm", "post_attention_layernorm", "norm");
    private static final List<String> FOUR = List.of(
            "input_layernorm",
            "post_attention_layernorm",
            "pre_feedforward_layernorm",
            "post_feedforward_layernorm",
            "norm");

    /** What PEFT chooses by model type ({@code utils/constants.py}), where it isn't all norms. */
    private static final Map<String, List<String>> TARGETS = Map.ofEntries(
            Map.entry("llama", AROUND_BLOCKS),
            Map.entry("mistral", AROUND_BLOCKS),
            Map.entry("gemma", AROUND_BLOCKS),
            Map.entry("gemma2", FOUR),
            Map.entry("gemma3_text", FOUR),
            Map.entry("qwen2", List.of("post_attention_layernorm")),
            Map.entry("qwen3", List.of("post_attention_layernorm")),
            Map.entry("phi", List.of("input_layernorm", "final_layernorm")),
            Map.entry("falcon", List.of("input_layernorm", "post_attention_layernorm", "ln_f")),
            Map.entry("bloom", List.of("input_layernorm", "post_attention_layernorm", "ln_f")),
            Map.entry("gpt2", List.of("ln_1", "ln_2", "ln_f")),
            Map.entry("gptj", List.of("ln_1", "ln_f")),
            Map.entry("t5", List.of("layer_norm", "final_layer_norm")),
            Map.entry("mt5", List.of("layer_norm", "final_layer_norm")),
            Map.entry("bart", List.of("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm")));

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        for (Site site : g.targets(named(g.base()), Norm.class::isInstance)) {
            if (site instanceof Norm norm) {
                Tensor bias = norm.bias();
                Tensor newWeight = parameter(g, site, "weight", norm.weight());
                g.add(site, new Effect.Replace(newWeight, bias == null ? null : parameter(g, site, "bias", bias)));
            }
        }
    }

    /** The targets by their names. */
    private Targets named(Base base) {
        Targets known = targets.orBy(base, TARGETS);
        if (!known.isDefault()) {
            return known;
        }
        List<String> norms = base.sites().stream()
                .filter(Norm.class::isInstance)
                .map(Site::name)
                .toList();
        return known.orBy(base, Map.of(base.architecture().modelType(), norms));
    }

    private static Tensor parameter(Grafter g, Site site, String name, Tensor start) {
        return g.parameter(site, "ln_tuning_layers." + name, Initial.copy(start), start.size(0));
    }

    @Override
    public void write(ObjectNode json, Base base) {
        targets.write(json);
        json.remove(List.of("layers_to_transform", "layers_pattern"));
    }

    /** Registers {@code ln-tuning}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "ln-tuning";
        }

        @Override
        public String summary() {
            return "trains the base's normalisations";
        }

        @Override
        public Capabilities capabilities() {
            return new Capabilities(true, true, true, true);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "LN_TUNING";
        }

        @Override
        public double rateFactor() {
            return 5;
        }

        @Override
        public Method read(Fields config, Base base) {
            return new LnTuning(Targets.read(config));
        }
    }
}
