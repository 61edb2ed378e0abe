package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.ByModule;
import dev.graft.peft.Statistics;
import dev.graft.peft.Targets;
import dev.graft.peft.inits.Eva;
import dev.graft.peft.inits.LoraInit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The settings of PEFT's {@code LoraConfig} that LoRA and its variants share.
 *
 * @param r rank
 * @param alpha scaling numerator: the update is scaled by alpha / r, or alpha / √r with rslora
 * @param dropout probability that an input of the low-rank path is dropped in training
 * @param rslora whether the update is scaled by alpha / √r
 * @param targets the modules that are adapted
 * @param rankPattern other ranks for modules whose name ends with a key (a regular expression); the first that matches counts
 * @param alphaPattern other alphas, likewise
 * @param bias which of the base's biases are trained
 * @param loraBias whether B has a bias of its own
 * @param init how A and B start
 * @param tokens token ids whose embedding rows are trained, by module; an empty name means the input embedding
 * @param replication the layers of a deeper base in which some are repeated, as ranges of [from, to); null for the base as it is
 * @param transposed what the file says in {@code fan_in_fan_out}; how a weight is stored is known from the base
 * @param tied what the file says in {@code ensure_weight_tying}
 * @param parameters names or ends of names of a mixture's parameters that plain LoRA adapts too, as {@link ExpertLora} does; null for
 *     none
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
        LoraInit init,
        Map<String, List<Integer>> tokens,
        @Nullable List<List<Integer>> replication,
        boolean transposed,
        boolean tied,
        @Nullable List<String> parameters) {

    /** Rank 16, alpha 32, every linear layer but the head. */
    public static final LoraConfig DEFAULT = new LoraConfig(
            16,
            32,
            0,
            false,
            Targets.ALL_LINEAR,
            Map.of(),
            Map.of(),
            Bias.NONE,
            false,
            LoraInit.DEFAULT,
            Map.of(),
            null,
            false,
            false,
            null);

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
        Copy copy = new Copy(this);
        copy.r = newR;
        copy.alpha = newAlpha;
        return copy.made();
    }

    public LoraConfig withInit(LoraInit newInit) {
        Copy copy = new Copy(this);
        copy.init = newInit;
        return copy.made();
    }

    public LoraConfig withDropout(double newDropout) {
        Copy copy = new Copy(this);
        copy.dropout = newDropout;
        return copy.made();
    }

    public LoraConfig withTargets(Targets newTargets) {
        Copy copy = new Copy(this);
        copy.targets = newTargets;
        return copy.made();
    }

    /** With ranks and alphas of their own for modules whose names end so. */
    public LoraConfig withPatterns(Map<String, Integer> ranks, Map<String, Double> alphas) {
        Copy copy = new Copy(this);
        copy.rankPattern = ranks;
        copy.alphaPattern = alphas;
        return copy.made();
    }

    public LoraConfig withLoraBias(boolean newLoraBias) {
        Copy copy = new Copy(this);
        copy.loraBias = newLoraBias;
        return copy.made();
    }

    /** With a mixture's parameters adapted too, by names or ends of names such as {@code experts.down_proj}. */
    public LoraConfig withParameters(List<String> newParameters) {
        Copy copy = new Copy(this);
        copy.parameters = List.copyOf(newParameters);
        return copy.made();
    }

    /** Another configuration in the making: what isn't set is that of the first. */
    private static final class Copy {
        private int r;
        private double alpha;
        private double dropout;
        private boolean rslora;
        private Targets targets;
        private Map<String, Integer> rankPattern;
        private Map<String, Double> alphaPattern;
        private Bias bias;
        private boolean loraBias;
        private LoraInit init;
        private Map<String, List<Integer>> tokens;
        private @Nullable List<List<Integer>> replication;
        private boolean transposed;
        private boolean tied;
        private @Nullable List<String> parameters;

        Copy(LoraConfig first) {
            r = first.r;
            alpha = first.alpha;
            dropout = first.dropout;
            rslora = first.rslora;
            targets = first.targets;
            rankPattern = first.rankPattern;
            alphaPattern = first.alphaPattern;
            bias = first.bias;
            loraBias = first.loraBias;
            init = first.init;
            tokens = first.tokens;
            replication = first.replication;
            transposed = first.transposed;
            tied = first.tied;
            parameters = first.parameters;
        }

        LoraConfig made() {
            return new LoraConfig(
                    r,
                    alpha,
                    dropout,
                    rslora,
                    targets,
                    rankPattern,
                    alphaPattern,
                    bias,
                    loraBias,
                    init,
                    tokens,
                    replication,
                    transposed,
                    tied,
                    parameters);
        }
    }

    /** Whether parameters are named that aren't of modules. */
    boolean hasParameters() {
        return parameters != null && !parameters.isEmpty();
    }

    /** Which of the base's layers each layer of the deeper base is. */
    List<Integer> order() {
        List<Integer> order = new ArrayList<>();
        if (replication != null) {
            replication.forEach(range -> {
                for (int layer = range.get(0); layer < range.get(1); layer++) {
                    order.add(layer);
                }
            });
        }
        return order;
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

    /**
     * The settings as files hold them: where A and B start with a part of the base that can't be found again, a plain LoRA of twice the
     * rank with the same scaling.
     */
    LoraConfig saved() {
        if (init.offset() != LoraInit.Offset.OF_DATA) {
            return this;
        }
        double factor = rslora ? Math.sqrt(2) : 2;
        Map<String, Integer> ranks = new LinkedHashMap<>(rankPattern);
        ranks.replaceAll((key, rank) -> 2 * rank);
        Map<String, Double> alphas = new LinkedHashMap<>(alphaPattern);
        alphas.replaceAll((key, a) -> factor * a);
        return withRank(2 * r, factor * alpha).withPatterns(ranks, alphas).withInit(LoraInit.DEFAULT);
    }

    /** With ranks that follow from calibration data, where the start calls for it: EVA's. */
    LoraConfig fitted(Base base, List<String> modulesToSave, Statistics statistics) {
        if (!(init instanceof Eva eva) || eva.rho() == 1) {
            return this;
        }
        Map<Linear, Integer> given = new LinkedHashMap<>();
        List<String> kept = new ArrayList<>();
        for (Site site : targets.match(base, modulesToSave)) {
            if (site instanceof Linear linear) {
                given.put(linear, rank(site.name()));
            } else {
                kept.add(site.name());
            }
        }
        statistics.watch(given.keySet());
        Map<String, Integer> ranks = eva.ranks(given, statistics);
        Map<String, Integer> otherRanks = new LinkedHashMap<>();
        Map<String, Double> otherAlphas = new LinkedHashMap<>();
        given.forEach((layer, before) -> {
            int rank = ranks.getOrDefault(layer.name(), 0);
            if (rank == 0) {
                return;
            }
            kept.add(layer.name());
            if (rank != r) {
                otherRanks.put(layer.name(), rank);
            }
            double a = new ByModule<>(alpha, alphaPattern).at(layer.name());
            double moved = eva.adjustsAlpha() ? a * rank / before : a;
            if (moved != alpha) {
                otherAlphas.put(layer.name(), moved);
            }
        });
        return withPatterns(otherRanks, otherAlphas).withTargets(Targets.names(kept.toArray(String[]::new)));
    }

    /** Fields that make a variant of LoRA, each a method of its own. */
    private static final List<String> VARIANTS = List.of(
            "use_dora",
            "alora_invocation_tokens",
            "use_bdlora",
            "kasa_config",
            "monteclora_config",
            "velora_config",
            "arrow_config",
            "lorafa_projection",
            "loraplus_lr_ratio",
            "dylora_min_rank",
            "sora_lambda",
            "use_mora",
            "use_qalora");

    /** The field of the variant that a configuration is of, or null for LoRA itself. */
    static @Nullable String variant(Fields f) {
        for (String field : VARIANTS) {
            if (isSet(f.node(field))) {
                return field;
            }
        }
        return null;
    }

    /** Reads every field of PEFT's {@code LoraConfig} but those of a variant; what changes the result and isn't supported is refused. */
    static LoraConfig read(Fields f, @Nullable String own) {
        return read(f, own, ByModule.integers(f, "r", 8, 1, "rank_pattern"));
    }

    /** Reads every field but those of the rank, for a method that means something else by them. */
    static LoraConfig read(Fields f, @Nullable String own, ByModule<Integer> ranks) {
        for (String field : VARIANTS) {
            if (!field.equals(own)) {
                refuse(f, field, "it can't be together with " + own);
            }
        }
        refuse(f, "megatron_config", "it belongs to Megatron");
        // Where the values above are null these say nothing.
        f.informational("megatron_core", "qalora_group_size");
        ByModule<Double> alphas = ByModule.numbers(f, "lora_alpha", 8, "alpha_pattern");
        LoraConfig config = new LoraConfig(
                ranks.value(),
                alphas.value(),
                f.number("lora_dropout", 0),
                f.bool("use_rslora", false),
                Targets.read(f),
                ranks.pattern(),
                alphas.pattern(),
                Bias.read(f, "lora_only"),
                f.bool("lora_bias", false),
                LoraInit.read(f),
                tokens(f),
                replication(f),
                f.bool("fan_in_fan_out", false),
                f.bool("ensure_weight_tying", false),
                f.stringsOrNull("target_parameters"));
        if (config.hasParameters()) {
            boolean plain =
                    own == null && config.dropout == 0 && !config.loraBias && config.init.equals(LoraInit.DEFAULT);
            if (!plain) {
                throw f.wrong(
                        "target_parameters",
                        "null where LoRA isn't plain: no variant, lora_dropout 0, lora_bias false, init_lora_weights true");
            }
        }
        if (config.loraBias && !config.init.name().matches("true|false")) {
            throw f.wrong("lora_bias", "false where init_lora_weights is " + config.init.name());
        }
        return config;
    }

    private static void refuse(Fields f, String field, String reason) {
        JsonNode value = f.node(field);
        if (isSet(value)) {
            throw f.wrong(field, (field.startsWith("use_") ? "false: " : "null: ") + reason);
        }
    }

    /** Whether PEFT takes a value for one that is there: false and empty lists aren't. */
    private static boolean isSet(@Nullable JsonNode value) {
        return value != null
                && !value.isNull()
                && !(value.isBoolean() && !value.booleanValue())
                && !(value.isArray() && value.isEmpty());
    }

    private static @Nullable List<List<Integer>> replication(Fields f) {
        List<JsonNode> ranges = f.listOrNull("layer_replication");
        if (ranges == null) {
            return null;
        }
        List<List<Integer>> read = new ArrayList<>();
        for (JsonNode range : ranges) {
            boolean pair = range.isArray()
                    && range.size() == 2
                    && range.get(0).isInt()
                    && range.get(1).isInt();
            if (!pair
                    || range.get(0).intValue() < 0
                    || range.get(1).intValue() <= range.get(0).intValue()) {
                throw f.wrong("layer_replication", "ranges of layers such as [[0, 4], [2, 5]]");
            }
            read.add(List.of(range.get(0).intValue(), range.get(1).intValue()));
        }
        return read.isEmpty() ? null : List.copyOf(read);
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

    /** Writes every field of PEFT's {@code LoraConfig}, those of the variants as absent. */
    void write(ObjectNode c) {
        targets.write(c);
        new ByModule<>(r, rankPattern).write(c, "r", "rank_pattern");
        new ByModule<>(alpha, alphaPattern).write(c, "lora_alpha", "alpha_pattern");
        c.put("lora_dropout", dropout);
        c.put("use_rslora", rslora);
        c.put("lora_bias", loraBias);
        bias.write(c, "lora_only");
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
        for (String absent : List.of(
                "megatron_config",
                "layer_replication",
                "alora_invocation_tokens",
                "arrow_config",
                "use_bdlora",
                "kasa_config",
                "monteclora_config",
                "velora_config",
                "eva_config",
                "corda_config",
                "lora_ga_config")) {
            c.putNull(absent);
        }
        c.putObject("loftq_config");
        c.put("megatron_core", "megatron.core");
        c.put("use_dora", false);
        c.put("use_qalora", false);
        c.put("qalora_group_size", 16);
        c.put("fan_in_fan_out", transposed);
        if (parameters == null) {
            c.putNull("target_parameters");
        } else {
            parameters.forEach(c.putArray("target_parameters")::add);
        }
        if (hasParameters() && targets.isDefault()) {
            c.putArray("target_modules");
        }
        c.put("ensure_weight_tying", tied);
        switch (init.name()) {
            case "true", "false" -> c.put("init_lora_weights", Boolean.parseBoolean(init.name()));
            default -> c.put("init_lora_weights", init.name());
        }
        init.write(c);
        if (replication != null) {
            ArrayNode ranges = c.putArray("layer_replication");
            replication.forEach(range -> ranges.addArray().add(range.get(0)).add(range.get(1)));
        }
    }
}
