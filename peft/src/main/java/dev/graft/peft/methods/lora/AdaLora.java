package dev.graft.peft.methods.lora;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Site;
import dev.graft.peft.DefaultTargets;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.PatternValue;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.methods.internal.TokenRows;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * AdaLoRA (Zhang et al., 2023): an update in the form of a singular value decomposition, {@code y = W x + b + s · B (E ⊙ A x)} with
 * {@code A [r, in]}, {@code B [out, r]}, {@code E [r, 1]} and s = alpha / (r + 1e-5), whose ranks are distributed among the modules during
 * training. A penalty keeps the rows of A and the columns of B orthonormal; the least important ranks, see {@link AdaLoraRule}, are set to zero
 * until target_r ranks per module are left on average.
 *
 * <p>Trained: init_r · (in + out + 1) for a linear layer. E starts at zero, A and B normal with a deviation of 0.02, so a new adapter changes
 * nothing. Files: {@code <module>.lora_A}, {@code lora_B}, {@code lora_E} without the ranks that ended at zero, and {@code rank_pattern}, which
 * lists those; s stays that of init_r. Merges: W + s · B (E ⊙ A). Use it if layers need different ranks and the file must be small; the run must
 * be long enough to determine them. On a convolution A is {@code [r, in · kernel]}. Not on embeddings or convolutions in groups.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, AdaLora.DEFAULT.withInitRank(16), 42);
 * }</pre>
 *
 * @param lora the settings it shares with LoRA: targets, alpha, dropout, biases, tokens; its r has no effect here
 * @param initRank init_r, the ranks of a module at the start
 * @param targetRank target_r, the average at the end
 * @param tinit steps at the start in which nothing is pruned; null for a tenth of the run
 * @param tfinal steps at the end in which the ranks stay as they are; null for three tenths of the run
 * @param deltaT steps between two prunings
 * @param beta1 of the running mean of the sensitivity
 * @param beta2 of the running mean of the uncertainty
 * @param orthogonality weight of the penalty
 * @param totalSteps the number of steps that tinit and tfinal refer to; null for those of the run
 * @param kept the ranks, of init_r, in a saved adapter, by module; null for all
 */
@RecordBuilder
public record AdaLora(
        LoraConfig lora,
        int initRank,
        int targetRank,
        @Nullable Integer tinit,
        @Nullable Integer tfinal,
        int deltaT,
        double beta1,
        double beta2,
        double orthogonality,
        @Nullable Integer totalSteps,
        @Nullable Map<String, List<Boolean>> kept)
        implements Method, AdaLoraBuilder.With {
    /**
     * Ranks from 12 to 8, s = 2, every linear layer but the head; PEFT's defaults prune from the first step to the
     * last.
     */
    public static final AdaLora DEFAULT = AdaLoraBuilder.builder()
            .lora(LoraConfig.DEFAULT.withR(8).withAlpha(24))
            .initRank(12)
            .targetRank(8)
            .deltaT(10)
            .beta1(0.85)
            .beta2(0.85)
            .orthogonality(0.5)
            .build();

    private static final String E = ".lora_E";

    /** Shares of the run before the first pruning and after the last one. */
    private static final double FIRST = 0.1;

    private static final double LAST = 0.3;

    private static final double EPS = 1e-5;
    private static final double START = 0.02;

    public AdaLora {
        if (initRank < 1 || targetRank < 1 || targetRank > initRank) {
            throw new InputException("init_r is " + initRank + " and target_r is " + targetRank
                    + ", expected at least 1 and a target_r of at most init_r");
        }
        if (deltaT < 1) {
            throw new InputException("deltaT is " + deltaT + ", expected 1 or more steps");
        }
        require("beta1", beta1, beta1 > 0 && beta1 < 1, "above 0 and below 1");
        require("beta2", beta2, beta2 > 0 && beta2 < 1, "above 0 and below 1");
        require("orth_reg_weight", orthogonality, orthogonality >= 0 && orthogonality < 1e6, "0 or more");
        if (totalSteps != null && tinit != null && tfinal != null) {
            // Refuses a schedule without a step in which ranks fall.
            var unused = new RankBudget(initRank, targetRank, tinit, tfinal, deltaT, totalSteps);
        }
        if (lora.rslora() || lora.loraBias() || !lora.alphaPattern().isEmpty()) {
            throw new InputException((lora.rslora() ? "use_rslora" : lora.loraBias() ? "lora_bias" : "alpha_pattern")
                    + " is set, but AdaLoRA has no such option: PEFT ignores it; remove it");
        }
        if (lora.replication() != null) {
            throw new InputException("layer_replication is set, but AdaLoRA can't repeat layers; leave it out");
        }
        String init = lora.init().name();
        if (!init.equals("true") && !init.equals("false")) {
            throw new InputException("init_lora_weights is " + init + ", but AdaLoRA has its own start: true or false");
        }
    }

    private static void require(String name, double value, boolean good, String expected) {
        if (!good) {
            throw new InputException(name + " is " + value + ", expected " + expected);
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        boolean starts = lora.init().name().equals("true");
        double s = (lora.alpha() > 0 ? lora.alpha() : initRank) / (initRank + EPS);
        List<Projection> targets = g.ungrouped(targets(g.base()), "AdaLoRA");
        List<Tensor> values = new ArrayList<>();
        for (Projection site : targets) {
            int r = (int) pattern(site.name()).stream().filter(rank -> rank).count();
            Tensor a = g.parameter(
                    site,
                    "lora_A",
                    Initializer.normal(starts ? START : 1),
                    r,
                    site.weight().flatten(1, -1).size(1));
            Tensor e = g.parameter(site, "lora_E", starts ? Initializer.ZEROS : Initializer.normal(1), r, 1);
            Tensor b = g.parameter(site, "lora_B", Initializer.normal(starts ? START : 1), site.out(), r);
            // PEFT counts the rank that the scale divides by as a parameter.
            double rank = initRank;
            g.unsavedFrozen(site.name() + ".ranknum", (rng, shape) -> Tensors.of(new float[] {(float) rank}, 1), 1);
            values.add(e);
            g.export(site.name() + ".lora_A", () -> a.index_select(0, left(e, values)));
            g.export(site.name() + E, () -> e.index_select(0, left(e, values)));
            g.export(site.name() + ".lora_B", () -> b.index_select(1, left(e, values)));
            g.add(site, new GatedLowRank(site, a, b, e, s, lora.dropout()));
        }
        lora.bias().graft(g, targets);
        TokenRows.graft(g, lora.tokens());
    }

    /** The ranks of a module that have a singular value. Where no module has one, the adapter is new and keeps all. */
    private static Tensor left(Tensor e, List<Tensor> all) {
        boolean fresh = all.stream().noneMatch(value -> value.detach().any().item_bool());
        long[] left = java.util.stream.LongStream.range(0, e.size(0))
                .filter(i -> fresh || Tensors.item(e.select(0, i)) != 0)
                .toArray();
        return Tensors.of(left, left.length);
    }

    /** Returns for each of init_r ranks whether a module has it. */
    private List<Boolean> pattern(String module) {
        List<Boolean> all = java.util.Collections.nCopies(initRank, true);
        return kept == null ? all : kept.getOrDefault(module, all);
    }

    /**
     * Returns the targets. Where none are set, these are PEFT's for the architectures that it knows, else queries and
     * values.
     */
    private TargetModules targets(Base base) {
        TargetModules given = lora.targets();
        List<String> names = DefaultTargets.names(
                DefaultTargets.Table.ADALORA, base.architecture().modelType());
        if (names == null) {
            return given;
        }
        List<String> there = names.stream()
                .filter(name -> base.sites().stream().anyMatch(site -> isNamed(site, name)))
                .toList();
        return !given.isDefault() || there.isEmpty() ? given : given.withNames(there);
    }

    private static boolean isNamed(Site site, String name) {
        return site instanceof Projection && site.name().endsWith("." + name);
    }

    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        List<String> targets = adapter.trainable().keySet().stream()
                .filter(key -> key.endsWith(E))
                .map(key -> key.substring(0, key.length() - E.length()))
                .toList();
        long initial = targets.stream()
                .mapToLong(target -> adapter.value(target + E).size(0))
                .sum();
        if (totalSteps != null && totalSteps > run.steps()) {
            throw new InputException("total_step is " + totalSteps + ", but the run has " + run.steps()
                    + " steps: it would end before the ranks are pruned; leave total_step out");
        }
        long total = totalSteps == null ? run.steps() : totalSteps;
        RankBudget budget = new RankBudget(
                initial,
                Math.min(initial, (long) targetRank * targets.size()),
                tinit == null ? (long) (FIRST * total) : tinit,
                tfinal == null ? (long) (LAST * total) : tfinal,
                deltaT,
                total);
        return new AdaLoraRule(
                adapter, targets, budget, run.steps(), new AdaLoraRule.Decay(beta1, beta2), orthogonality);
    }

    /**
     * Returns the method with the ranks after pruning. PEFT requires numbers where the run decided, though they only
     * matter in training.
     */
    @Override
    public Method savedMethod(Instance adapter) {
        Map<String, Tensor> values = new LinkedHashMap<>();
        adapter.trainable().forEach((key, value) -> {
            if (key.endsWith(E)) {
                values.put(key.substring(0, key.length() - E.length()), value);
            }
        });
        Map<String, List<Boolean>> patterns = new TreeMap<>();
        values.forEach((module, e) -> {
            List<Boolean> pattern = new ArrayList<>(pattern(module));
            Set<Long> left = new java.util.HashSet<>();
            for (long rank : Tensors.longs(left(e, List.copyOf(values.values())))) {
                left.add(rank);
            }
            long row = 0;
            for (int i = 0; i < pattern.size(); i++) {
                if (pattern.get(i)) {
                    pattern.set(i, left.contains(row++));
                }
            }
            patterns.put(module, pattern);
        });
        boolean whole = kept == null
                && patterns.values().stream()
                        .allMatch(pattern -> pattern.stream().allMatch(rank -> rank));
        int first = tinit == null ? 0 : tinit;
        int last = tfinal == null ? 0 : tfinal;
        return new AdaLora(
                lora,
                initRank,
                targetRank,
                first,
                last,
                deltaT,
                beta1,
                beta2,
                orthogonality,
                totalSteps == null ? Integer.valueOf(first + last + 1) : totalSteps,
                whole ? null : patterns);
    }

    @Override
    public void write(ObjectNode json, Base base) {
        lora.write(json);
        json.put("init_r", initRank);
        json.put("target_r", targetRank);
        json.put("tinit", tinit);
        json.put("tfinal", tfinal);
        json.put("deltaT", deltaT);
        json.put("beta1", beta1);
        json.put("beta2", beta2);
        json.put("orth_reg_weight", orthogonality);
        json.put("total_step", totalSteps);
        if (kept == null) {
            json.putNull("rank_pattern");
        } else {
            ObjectNode patterns = json.putObject("rank_pattern");
            kept.forEach((module, pattern) -> {
                ArrayNode array = patterns.putArray(module + E);
                pattern.forEach(array::add);
            });
        }
    }

    /** Registers {@code adalora}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "adalora";
        }

        @Override
        public String summary() {
            return "low-rank updates that share out their ranks while they train";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL;
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "ADALORA";
        }

        @Override
        public double rateFactor() {
            return 3;
        }

        @Override
        public List<String> required() {
            return List.of("init_r", "lora_alpha");
        }

        @Override
        public Method read(Fields f, Base base) {
            LoraConfig lora = LoraConfig.read(f, LoraMark.own("init_r"), PatternValue.of(f.integer("r", 8)));
            int initRank = f.integer("init_r", 12, 1);
            return new AdaLora(
                    lora,
                    initRank,
                    f.integer("target_r", 8, 1),
                    steps(f, "tinit"),
                    steps(f, "tfinal"),
                    f.integer("deltaT", 1, 1),
                    f.number("beta1", 0.85),
                    f.number("beta2", 0.85),
                    f.number("orth_reg_weight", 0.5),
                    f.integerOrNull("total_step", 1, Integer.MAX_VALUE),
                    kept(f, initRank));
        }

        /** Returns a number of steps. A missing field means 0, as in PEFT; an explicit null leaves it to the run. */
        private static @Nullable Integer steps(Fields f, String field) {
            return f.has(field) ? f.integerOrNull(field, 0, Integer.MAX_VALUE) : Integer.valueOf(0);
        }

        private static @Nullable Map<String, List<Boolean>> kept(Fields f, int initRank) {
            Fields patterns = f.objectOrNull("rank_pattern");
            if (patterns == null) {
                return null;
            }
            Map<String, List<Boolean>> kept = new LinkedHashMap<>();
            for (String key : patterns.names()) {
                List<JsonNode> flags = patterns.list(key);
                if (flags.size() != initRank || !flags.stream().allMatch(JsonNode::isBoolean)) {
                    throw patterns.invalid(key, "init_r = " + initRank + " times true or false");
                }
                if (!key.contains(E)) {
                    throw patterns.invalid(key, "the name of a module and " + E + " as the key");
                }
                kept.put(
                        key.substring(0, key.indexOf(E)),
                        flags.stream().map(JsonNode::booleanValue).toList());
            }
            return kept;
        }
    }
}
