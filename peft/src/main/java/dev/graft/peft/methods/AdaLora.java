package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.ByModule;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.Method;
import dev.graft.peft.Targets;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.internal.TokenRows;
import dev.graft.tensor.Tensors;
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
 * AdaLoRA (Zhang et al., 2023): an update in the form of a singular value decomposition,
 * {@code y = W x + b + s · B (E ⊙ A x)} with {@code A [r, in]}, {@code B [out, r]}, {@code E [r, 1]} and s = alpha / (r + 1e-5), whose
 * ranks are shared out among the modules while it trains. A penalty keeps the rows of A and the columns of B orthonormal; what is least
 * important, see {@link AdaLoraRule}, is set to zero until on average target_r ranks a module are left.
 *
 * <p>Trained: init_r · (in + out + 1) for a linear layer. E starts at zero, A and B normal with a deviation of 0.02, so a new adapter
 * changes nothing. Files: {@code <module>.lora_A}, {@code lora_B}, {@code lora_E} without the ranks that ended at zero, and
 * {@code rank_pattern}, which says which ones those were; s stays that of init_r. Merges: W + s · B (E ⊙ A). Use it where the ranks that
 * layers need differ and the file must be small; it needs a run long enough to tell them apart. On a convolution
 * A is {@code [r, in · kernel]}. Not on embeddings or convolutions in groups.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, AdaLora.DEFAULT.withRanks(12, 8), 42);
 * }</pre>
 *
 * @param lora the settings it shares with LoRA: targets, alpha, dropout, biases, tokens; its r has no meaning here
 * @param initRank init_r, the ranks of a module at the start
 * @param targetRank target_r, the average at the end
 * @param tinit steps at the start in which nothing is pruned; null for a tenth of the run
 * @param tfinal steps at the end in which the ranks stay as they are; null for three tenths of the run
 * @param deltaT steps between two prunings
 * @param beta1 of the running mean of the sensitivity
 * @param beta2 of the running mean of the uncertainty
 * @param orthogonality weight of the penalty
 * @param totalSteps the steps that tinit and tfinal are of; null for those of the run
 * @param kept which of init_r ranks a saved adapter has, by module; null for all
 */
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
        implements Method {
    /** From 12 ranks to 8, s = 2, every linear layer but the head; PEFT's defaults prune from the first step to the last. */
    public static final AdaLora DEFAULT =
            new AdaLora(LoraConfig.DEFAULT.withRank(8, 24), 12, 8, null, null, 10, 0.85, 0.85, 0.5, null, null);

    static final String E = ".lora_E";

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

    public AdaLora withRanks(int initial, int target) {
        return new AdaLora(lora, initial, target, tinit, tfinal, deltaT, beta1, beta2, orthogonality, totalSteps, kept);
    }

    public AdaLora withLora(LoraConfig other) {
        return new AdaLora(
                other, initRank, targetRank, tinit, tfinal, deltaT, beta1, beta2, orthogonality, totalSteps, kept);
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
                    Initial.normal(starts ? START : 1),
                    r,
                    site.weight().flatten(1, -1).size(1));
            Tensor e = g.parameter(site, "lora_E", starts ? Initial.ZEROS : Initial.normal(1), r, 1);
            Tensor b = g.parameter(site, "lora_B", Initial.normal(starts ? START : 1), site.out(), r);
            // PEFT counts the rank that the scale divides by as a parameter.
            double rank = initRank;
            g.innerFrozen(site.name() + ".ranknum", (rng, shape) -> Tensors.of(new float[] {(float) rank}, 1), 1);
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

    /** Which of init_r ranks a module has. */
    private List<Boolean> pattern(String module) {
        List<Boolean> all = java.util.Collections.nCopies(initRank, true);
        return kept == null ? all : kept.getOrDefault(module, all);
    }

    /** Where no targets are given, what PEFT chooses for the architectures that it knows, else queries and values. */
    private Targets targets(Base base) {
        Targets given = lora.targets();
        List<String> names = switch (base.architecture().modelType()) {
            case "roberta" -> List.of("query", "key", "value", "dense");
            case "deberta-v2" -> List.of("query_proj", "key_proj", "value_proj", "dense");
            case "t5" -> List.of("q", "k", "v", "o", "wi", "wo");
            case "mt5" -> List.of("q", "k", "v", "o", "wi_0", "wi_1", "wo");
            case "bart", "opt" -> List.of("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2");
            default -> List.of();
        };
        List<String> there = names.stream()
                .filter(name -> base.sites().stream().anyMatch(site -> isNamed(site, name)))
                .toList();
        return !given.isDefault() || there.isEmpty() ? given : given.withNames(there);
    }

    private static boolean isNamed(Site site, String name) {
        return site instanceof Projection && site.name().endsWith("." + name);
    }

    @Override
    public TrainingRule training(Adapter adapter, TrainingRule.Run run) {
        return new AdaLoraRule(this, adapter, run);
    }

    /** With the ranks that are left, and numbers for PEFT where the run decided: it wants some, though they only matter in training. */
    @Override
    public Method saved(Adapter adapter) {
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
            return new Capabilities(true, true, true, true);
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
            LoraConfig lora = LoraConfig.read(f, "init_r", ByModule.of(f.integer("r", 8)));
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

        /** Where a file doesn't say, PEFT means 0; an explicit null leaves it to the run. */
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
                    throw patterns.wrong(key, "init_r = " + initRank + " times true or false");
                }
                if (!key.contains(E)) {
                    throw patterns.wrong(key, "the name of a module and " + E + " as the key");
                }
                kept.put(
                        key.substring(0, key.indexOf(E)),
                        flags.stream().map(JsonNode::booleanValue).toList());
            }
            return kept;
        }
    }
}
