package dev.graft.peft.methods.lora;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.Bias;
import dev.graft.peft.PatternValue;
import dev.graft.peft.Statistics;
import dev.graft.peft.TargetModules;
import dev.graft.peft.inits.Eva;
import dev.graft.peft.inits.LoraInit;
import dev.graft.peft.inits.LoraInits;
import io.soabase.recordbuilder.core.RecordBuilder;
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
 * @param init the initialisation of A and B
 * @param tokens token ids whose embedding rows are trained, by module; an empty name means the input embedding
 * @param replication the layers of a deeper base in which some are repeated, as ranges of [from, to); null for the base as it is
 * @param transposed the file's {@code fan_in_fan_out}; it has no effect, since the base determines the storage
 * @param tied the file's {@code ensure_weight_tying}
 * @param parameters names or ends of names of a mixture's parameters that plain LoRA adapts too, as {@link ExpertLora} does; null for none
 */
@RecordBuilder
public record LoraConfig(
        int r,
        double alpha,
        double dropout,
        boolean rslora,
        TargetModules targets,
        Map<String, Integer> rankPattern,
        Map<String, Double> alphaPattern,
        Bias bias,
        boolean loraBias,
        LoraInit init,
        Map<String, List<Integer>> tokens,
        @Nullable List<List<Integer>> replication,
        boolean transposed,
        boolean tied,
        @Nullable List<String> parameters)
        implements LoraConfigBuilder.With {

    /** Rank 16, alpha 32, every linear layer but the head. */
    public static final LoraConfig DEFAULT = LoraConfigBuilder.builder()
            .r(16)
            .alpha(32)
            .targets(TargetModules.ALL_LINEAR)
            .rankPattern(Map.of())
            .alphaPattern(Map.of())
            .bias(Bias.NONE)
            .init(LoraInits.DEFAULT)
            .tokens(Map.of())
            .build();

    public LoraConfig {
        parameters = parameters == null ? null : List.copyOf(parameters);
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

    /** Returns whether the configuration names parameters outside modules. */
    boolean hasParameters() {
        return parameters != null && !parameters.isEmpty();
    }

    /** Returns, for each layer of the deeper base, the index of the base's layer that it repeats. */
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

    /** Returns the rank at a module. */
    public int rank(String module) {
        return new PatternValue<>(r, rankPattern).at(module);
    }

    /** Returns the factor of the update at a module. */
    public double scaling(String module) {
        double a = new PatternValue<>(alpha, alphaPattern).at(module);
        int rank = rank(module);
        return rslora ? a / Math.sqrt(rank) : a / rank;
    }

    /**
     * Returns the settings in files. If A and B start with a part of the base that can't be recomputed, they describe a plain LoRA of twice the
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
        return withR(2 * r)
                .withAlpha(factor * alpha)
                .withRankPattern(ranks)
                .withAlphaPattern(alphas)
                .withInit(LoraInits.DEFAULT);
    }

    /** Returns a copy with ranks from calibration data, if the initialisation determines them, as EVA does. */
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
            double a = new PatternValue<>(alpha, alphaPattern).at(layer.name());
            double moved = eva.adjustsAlpha() ? a * rank / before : a;
            if (moved != alpha) {
                otherAlphas.put(layer.name(), moved);
            }
        });
        return withRankPattern(otherRanks)
                .withAlphaPattern(otherAlphas)
                .withTargets(TargetModules.names(kept.toArray(String[]::new)));
    }

    /**
     * Reads every field of PEFT's {@code LoraConfig} except those of a variant; unsupported fields that change the result are refused.
     */
    public static LoraConfig read(Fields f, @Nullable LoraMark own) {
        return read(f, own, PatternValue.readIntegers(f, "r", 8, 1, "rank_pattern"));
    }

    /** Reads every field except those of the rank, for a method with another meaning of them. */
    static LoraConfig read(Fields f, @Nullable LoraMark own, PatternValue<Integer> ranks) {
        for (LoraMark mark : LoraMark.all()) {
            if (!mark.equals(own) && mark.isIn(f)) {
                throw f.invalid(
                        mark.field(),
                        (mark.field().startsWith("use_") ? "false: " : "null: ") + "it can't be together with "
                                + (own == null ? null : own.field()));
            }
            if (!mark.equals(own)) {
                // They mean nothing where the mark is absent.
                f.ignore(mark.absent().get().keySet().toArray(String[]::new));
            }
        }
        JsonNode megatron = f.node("megatron_config");
        if (megatron != null && !megatron.isNull()) {
            throw f.invalid("megatron_config", "null: it belongs to Megatron");
        }
        f.ignore("megatron_core");
        PatternValue<Double> alphas = PatternValue.readNumbers(f, "lora_alpha", 8, "alpha_pattern");
        LoraConfig config = new LoraConfig(
                ranks.value(),
                alphas.value(),
                f.number("lora_dropout", 0),
                f.bool("use_rslora", false),
                TargetModules.read(f),
                ranks.pattern(),
                alphas.pattern(),
                Bias.read(f, "lora_only"),
                f.bool("lora_bias", false),
                LoraInits.read(f),
                tokens(f),
                replication(f),
                f.bool("fan_in_fan_out", false),
                f.bool("ensure_weight_tying", false),
                f.stringsOrNull("target_parameters"));
        if (config.hasParameters()) {
            boolean plain =
                    own == null && config.dropout == 0 && !config.loraBias && config.init.equals(LoraInits.DEFAULT);
            if (!plain) {
                throw f.invalid(
                        "target_parameters",
                        "null where LoRA isn't plain: no variant, lora_dropout 0, lora_bias false, init_lora_weights"
                                + " true");
            }
        }
        if (config.loraBias && !config.init.name().matches("true|false")) {
            throw f.invalid("lora_bias", "false where init_lora_weights is " + config.init.name());
        }
        return config;
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
                throw f.invalid("layer_replication", "ranges of layers such as [[0, 4], [2, 5]]");
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
    public void write(ObjectNode c) {
        targets.write(c);
        new PatternValue<>(r, rankPattern).write(c, "r", "rank_pattern");
        new PatternValue<>(alpha, alphaPattern).write(c, "lora_alpha", "alpha_pattern");
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
        for (String absent :
                List.of("megatron_config", "layer_replication", "eva_config", "corda_config", "lora_ga_config")) {
            c.putNull(absent);
        }
        c.putObject("loftq_config");
        c.put("megatron_core", "megatron.core");
        LoraMark.all().forEach(mark -> mark.absent().get().forEach(c::set));
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
