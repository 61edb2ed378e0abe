package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.peft.ByModule;
import dev.graft.peft.Targets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The settings of PEFT's {@code LoraConfig} that LoRA and its variants share.
 *
 * @param r rank
 * @param alpha scaling numerator: the update is scaled by alpha / r, or alpha / √r with rslora
 * @param dropout probability that an input of the low-rank path is dropped in training
 * @param rankPattern other ranks for modules whose name ends with a key (a regular expression); the first that matches counts
 * @param alphaPattern other alphas, likewise
 * @param bias which of the base's biases are trained
 * @param loraBias whether B has a bias of its own
 * @param init how A and B start
 * @param tokens token ids whose embedding rows are trained, by module; an empty name means the input embedding
 */
public record LoraConfig(
        int r,
        double alpha,
        double dropout,
        boolean rslora,
        Targets targets,
        Map<String, Integer> rankPattern,
        Map<String, Double> alphaPattern,
        Bias bias,
        boolean loraBias,
        Init init,
        Map<String, List<Integer>> tokens) {

    /**
     * How A and B start: {@code true} (Kaiming-uniform A, zero B), {@code false} (both Kaiming-uniform: no identity), {@code gaussian},
     * {@code pissa}, {@code pissa_niter_N}, {@code olora}, {@code orthogonal}, {@code mica}; {@code eva} only for saved adapters.
     */
    public record Init(String name) {
        public static final Init DEFAULT = new Init("true");

        /** Whether the base's own part in A and B must be taken off. */
        public boolean replacesBase() {
            return name.startsWith("pissa") || name.equals("olora");
        }
    }

    /** Rank 16, alpha 32, every linear layer but the head. */
    public static final LoraConfig DEFAULT = new LoraConfig(
            16, 32, 0, false, Targets.ALL_LINEAR, Map.of(), Map.of(), Bias.NONE, false, Init.DEFAULT, Map.of());

    public LoraConfig {
        if (r < 1) {
            throw new InputException("r is " + r + ", expected at least 1");
        }
        if (!(dropout >= 0 && dropout < 1)) {
            throw new InputException("lora_dropout is " + dropout + ", expected 0 or more and less than 1");
        }
        if (!Double.isFinite(alpha)) {
            throw new InputException("lora_alpha is " + alpha + ", expected a number");
        }
    }

    public LoraConfig withRank(int newR, double newAlpha) {
        return new LoraConfig(
                newR, newAlpha, dropout, rslora, targets, rankPattern, alphaPattern, bias, loraBias, init, tokens);
    }

    public LoraConfig withInit(Init newInit) {
        return new LoraConfig(
                r, alpha, dropout, rslora, targets, rankPattern, alphaPattern, bias, loraBias, newInit, tokens);
    }

    public LoraConfig withTargets(Targets newTargets) {
        return new LoraConfig(
                r, alpha, dropout, rslora, newTargets, rankPattern, alphaPattern, bias, loraBias, init, tokens);
    }

    /** The rank at a module. */
    public int rank(String module) {
        return new ByModule<>(r, rankPattern).at(module);
    }

    /** What the update at a module is multiplied by. */
    public double scaling(String module) {
        double a = new ByModule<>(alpha, alphaPattern).at(module);
        int rank = rank(module);
        return rslora ? a / Math.sqrt(rank) : a / rank;
    }

    /** Reads every field of PEFT's {@code LoraConfig}; what changes the result and isn't supported is refused. */
    static LoraConfig read(Fields f) {
        refuse(f, "megatron_config", "it belongs to Megatron");
        refuse(f, "layer_replication", "it changes the base's depth");
        refuse(f, "target_parameters", "parameters that aren't modules can't be targeted");
        refuse(f, "alora_invocation_tokens", "aLoRA isn't supported");
        refuse(f, "arrow_config", "Arrow isn't supported");
        refuse(f, "use_bdlora", "BD-LoRA isn't supported");
        refuse(f, "kasa_config", "KaSA isn't supported");
        refuse(f, "monteclora_config", "MonteCLoRA isn't supported");
        refuse(f, "velora_config", "VeLoRA isn't supported");
        if (f.bool("use_qalora", false)) {
            throw f.wrong("use_qalora", "false: QA-LoRA isn't supported");
        }
        // Settings of how an adapter was initialised or laid out; its tensors hold the result.
        f.informational(
                "megatron_core", "qalora_group_size", "eva_config", "corda_config", "lora_ga_config", "loftq_config");
        f.bool("ensure_weight_tying", false);
        f.bool("fan_in_fan_out", false);
        ByModule<Integer> ranks = ByModule.integers(f, "r", 8, 1, "rank_pattern");
        ByModule<Double> alphas = ByModule.numbers(f, "lora_alpha", 8, "alpha_pattern");
        return new LoraConfig(
                ranks.value(),
                alphas.value(),
                f.number("lora_dropout", 0),
                f.bool("use_rslora", false),
                Targets.read(f),
                ranks.pattern(),
                alphas.pattern(),
                Bias.read(f, "lora_only"),
                f.bool("lora_bias", false),
                init(f),
                tokens(f));
    }

    private static void refuse(Fields f, String field, String reason) {
        JsonNode value = f.node(field);
        if (value != null && !value.isNull()) {
            throw f.wrong(field, "null: " + reason);
        }
    }

    private static Init init(Fields f) {
        JsonNode value = f.node("init_lora_weights");
        if (value == null || value.isNull() || value.isBoolean()) {
            return new Init(value == null || value.isNull() ? "true" : value.asString());
        }
        String name = f.string("init_lora_weights");
        boolean known = List.of("gaussian", "pissa", "olora", "orthogonal", "mica", "eva")
                        .contains(name)
                || name.matches("pissa_niter_\\d+");
        if (!known) {
            throw f.wrong(
                    "init_lora_weights", "true, false, gaussian, pissa, pissa_niter_N, olora, orthogonal, mica or eva");
        }
        return new Init(name);
    }

    private static Map<String, List<Integer>> tokens(Fields f) {
        JsonNode value = f.node("trainable_token_indices");
        if (value == null || value.isNull()) {
            return Map.of();
        }
        if (value.isArray()) {
            List<Integer> ids = f.integersOrNull("trainable_token_indices");
            return ids == null ? Map.of() : Map.of("", ids);
        }
        Fields byModule = f.object("trainable_token_indices");
        Map<String, List<Integer>> tokens = new LinkedHashMap<>();
        for (String module : byModule.names()) {
            List<Integer> ids = byModule.integersOrNull(module);
            tokens.put(module, ids == null ? List.of() : ids);
        }
        return tokens;
    }

    /** Writes every field of PEFT's {@code LoraConfig}. */
    void write(ObjectNode c, boolean dora) {
        targets.write(c);
        new ByModule<>(r, rankPattern).write(c, "r", "rank_pattern");
        new ByModule<>(alpha, alphaPattern).write(c, "lora_alpha", "alpha_pattern");
        c.put("lora_dropout", dropout);
        c.put("use_rslora", rslora);
        c.put("use_dora", dora);
        c.put("lora_bias", loraBias);
        bias.write(c, "lora_only");
        switch (init.name()) {
            case "true" -> c.put("init_lora_weights", true);
            case "false" -> c.put("init_lora_weights", false);
            default -> c.put("init_lora_weights", init.name());
        }
        if (tokens.isEmpty()) {
            c.putNull("trainable_token_indices");
        } else if (tokens.containsKey("")) {
            ArrayNode ids = c.putArray("trainable_token_indices");
            tokens.getOrDefault("", List.of()).forEach(ids::add);
        } else {
            ObjectNode byModule = c.putObject("trainable_token_indices");
            tokens.forEach((module, ids) -> {
                ArrayNode array = byModule.putArray(module);
                ids.forEach(array::add);
            });
        }
        for (String unused : List.of(
                "megatron_config",
                "layer_replication",
                "target_parameters",
                "alora_invocation_tokens",
                "arrow_config",
                "use_bdlora",
                "kasa_config",
                "monteclora_config",
                "velora_config",
                "eva_config",
                "corda_config",
                "lora_ga_config")) {
            c.putNull(unused);
        }
        c.putObject("loftq_config");
        c.put("megatron_core", "megatron.core");
        c.put("use_qalora", false);
        c.put("qalora_group_size", 16);
        c.put("fan_in_fan_out", false);
        c.put("ensure_weight_tying", false);
    }
}
