package dev.graft.peft.methods.bottleneck;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.methods.internal.AdapterHubFields;
import dev.graft.peft.methods.internal.AdapterHubType;
import dev.graft.peft.methods.internal.NestedAdapters;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * AdapterFusion (Pfeiffer et al., 2021) as AdapterHub has it: attention over the results of several trained bottlenecks, which stay frozen. With
 * z the input of the last of them and {@code aᵢ = A_i(z)}, at each place
 *
 * <pre>{@code
 * p = softmax((Q z + q) · (K aᵢ + k))      o = Σ pᵢ V aᵢ      y = LN(x + r + o)
 * }</pre>
 *
 * with Q, K, V {@code [hidden, hidden]}; r is the tensor to which the last adapter's result is added. Without V it is the static fusion of
 * AdapterHub, with V the dynamic one.
 *
 * <p>Trained: for each place 3 · hidden² + 2 · hidden, static 2 · hidden² + 2 · hidden. Q and K start normal with deviation 0.02, V at the
 * identity; in training {@code 0.01 ‖I - V‖²} is added to the loss. With a temperature, scores are divided by T, which falls from 50 to 1 in 980
 * steps, so the adapters begin with nearly equal shares. Files, in AdapterHub's names: {@code <block>.adapter_fusion_layer.A,B.query},
 * {@code .key}, {@code .value}, and the adapters under their own names; AdapterHub has one folder for each of them and one for the fusion, which
 * {@link #load} reads. A stack of adapters may replace one of them. Then its first adapter reads z as the block's output, and aᵢ is the output of
 * its last one, as in AdapterHub. Doesn't merge. Use it if adapters for several tasks exist and a new task may need some of each.
 *
 * <pre>{@code
 * Adapter fusion = Adapter.create(base, Fusion.of(Map.of("nli", nli, "qa", qa)), 42);
 * }</pre>
 */
public record Fusion(FusionSettings settings, List<Child> children) implements Method {
    private static final String FUSION = "fusion";
    private static final String TEMPERATURE = "adapter_fusion.*.temperature";
    private static final String BELOW = "below";
    private static final double HOTTEST = 50;

    /**
     * An adapter that is fused, or a stack of adapters under the name of its last one.
     *
     * @param name its name
     * @param config its settings
     * @param values its tensors by name; missing ones are initialised as in a new adapter
     * @param below the adapters before it in the stack, the first one first
     */
    public record Child(String name, BottleneckConfig config, Map<String, Tensor> values, List<Child> below) {
        public Child {
            values = Map.copyOf(values);
            below = List.copyOf(below);
            if (!name.matches("[^.,*]+")) {
                throw new InputException("an adapter is called \"" + name + "\", expected a name without . , and *");
            }
            if (config.coupling() != null
                    || config.phm() != null && config.phm().sharedWeight()) {
                throw new InputException(name + " has parts beside its bottlenecks, which a fusion can't hold");
            }
        }

        /** Creates an adapter without a stack. */
        public Child(String name, BottleneckConfig config, Map<String, Tensor> values) {
            this(name, config, values, List.of());
        }

        /** Returns the adapters of a stack in the order in which they run. */
        private Stream<Child> stack() {
            return Stream.concat(below.stream().flatMap(Child::stack), Stream.of(this));
        }

        private static Child read(String name, Fields f) {
            BottleneckConfig config = BottleneckConfig.read(f);
            Fields stacked = f.objectOrNull(BELOW);
            return new Child(
                    name,
                    config,
                    Map.of(),
                    stacked == null
                            ? List.of()
                            : stacked.names().stream()
                                    .map(under -> read(under, stacked.object(under)))
                                    .toList());
        }

        private void write(ObjectNode c) {
            config.write(c);
            if (!below.isEmpty()) {
                ObjectNode stacked = c.putObject(BELOW);
                below.forEach(under -> under.write(stacked.putObject(under.name)));
            }
        }
    }

    /** Two untrained adapters, as placeholders. */
    public static final Fusion DEFAULT = new Fusion(
            FusionSettings.DYNAMIC,
            List.of(
                    new Child("a", BottleneckConfig.DEFAULT, Map.of()),
                    new Child("b", BottleneckConfig.DEFAULT, Map.of())));

    public Fusion {
        children = List.copyOf(children);
        List<String> names =
                children.stream().flatMap(Child::stack).map(Child::name).toList();
        if (children.size() < 2 || Set.copyOf(names).size() < names.size()) {
            throw new InputException("adapters are " + names + ", expected at least two with different names");
        }
    }

    /** Returns the dynamic fusion of trained adapters, in the order of the map. */
    public static Fusion of(Map<String, Adapter> adapters) {
        List<Child> children = new ArrayList<>();
        adapters.forEach((name, adapter) -> children.add(child(name, adapter)));
        return new Fusion(FusionSettings.DYNAMIC, children);
    }

    private static Child child(String name, Adapter adapter, Child... below) {
        if (!(adapter.method() instanceof BottleneckMethod bottleneck)) {
            throw new InputException(
                    name + " is a " + adapter.method().type().name() + " adapter, but a fusion is of bottlenecks");
        }
        Map<String, Tensor> values = new LinkedHashMap<>();
        adapter.parameters().forEach((key, parameter) -> {
            if (adapter.config().savesBesideHead(adapter.base(), key)) {
                throw new InputException(name + " trained and saved " + key
                        + " whole (modules_to_save), which a fusion can't weigh; take adapters without"
                        + " modules_to_save");
            }
            values.put(key, parameter.value());
        });
        return new Child(name, bottleneck.config(), values, List.of(below));
    }

    /**
     * Reads a setup of AdapterHub: a folder for each adapter, and one named {@code A,B} for the fusion. If
     * {@code adapter_setup.json} is beside them, it names the adapters that are stacked below another one.
     */
    public static Adapter load(Base base, Path setup, String fusion) {
        FusionSetup files = FusionSetup.read(setup, fusion);
        List<Child> children = new ArrayList<>();
        for (String name : files.names()) {
            Child[] below = files.below(name).stream()
                    .map(under -> child(under, Adapter.load(base, setup.resolve(under))))
                    .toArray(Child[]::new);
            children.add(child(name, Adapter.load(base, setup.resolve(name)), below));
        }
        Adapter adapter = Adapter.create(base, new Fusion(files.settings(), children), 0);
        files.copyAttention(adapter);
        if (files.settings().temperature()) {
            // AdapterHub doesn't save it: that of a training which was long enough.
            try (NoGrad noGrad = new NoGrad()) {
                temperature(adapter).fill_(new Scalar(1.0));
            }
        }
        return adapter;
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        String name = children.stream().map(Child::name).collect(Collectors.joining(","));
        List<List<Map<Site, List<Effect>>>> stacks = children.stream()
                .map(child -> child.stack().map(each -> effects(g, each)).toList())
                .toList();
        double dropout = dropout(g.base());
        Tensor temperature = settings.temperature()
                ? g.buffer(
                        AdapterHubFields.root(g.base()) + TEMPERATURE,
                        true,
                        (rng, shape) -> Ops.scale(Initializer.ONES.create(rng, shape), HOTTEST),
                        1)
                : null;
        for (Site site : g.base().sites()) {
            List<List<BottleneckLayer>> layers = new ArrayList<>();
            for (List<Map<Site, List<Effect>>> stack : stacks) {
                List<BottleneckLayer> stacked = new ArrayList<>();
                for (Map<Site, List<Effect>> part : stack) {
                    for (Effect effect : part.getOrDefault(site, List.of())) {
                        if (effect instanceof BottleneckLayer layer) {
                            stacked.add(layer);
                        } else {
                            g.add(site, effect);
                        }
                    }
                }
                if (!stacked.isEmpty()) {
                    layers.add(stacked);
                }
            }
            if (site instanceof Block block && !layers.isEmpty()) {
                if (layers.size() < children.size()) {
                    throw new InputException(name + " differ in their places: not all have one at " + site.name());
                }
                g.add(block, FusionLayer.of(g, block, name, settings, layers, temperature, dropout));
            }
        }
    }

    private static Map<Site, List<Effect>> effects(Grafter g, Child child) {
        Grafter part = g.frozenPart(child.name, child.values);
        Bottlenecks.graft(part, child.config);
        return part.effects();
    }

    private double dropout(Base base) {
        if (settings.dropout() != null) {
            return settings.dropout();
        }
        Double own = base.config().numberOrNull("attention_probs_dropout_prob");
        return own == null ? 0 : own;
    }

    /** Returns T of an adapter with a temperature, {@code [1]}. */
    public static Tensor temperature(Method.Instance adapter) {
        return adapter.value(AdapterHubFields.root(adapter.base()) + TEMPERATURE);
    }

    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        List<Tensor> values = new ArrayList<>();
        adapter.trainable().forEach((key, value) -> {
            if (settings.regularised() && key.endsWith(".value.weight") && key.contains(".adapter_fusion_layer.")) {
                values.add(value);
            }
        });
        return values.isEmpty() && !settings.temperature()
                ? TrainingRule.NONE
                : new Rule(values, settings.temperature() ? temperature(adapter) : null);
    }

    private record Rule(List<Tensor> values, @Nullable Tensor temperature) implements TrainingRule {
        /** T falls by a thousandth of its initial value, as in AdapterHub with each forward pass. */
        @Override
        public void beforeStep(long step) {
            if (temperature != null) {
                try (NoGrad noGrad = new NoGrad()) {
                    temperature.fill_(new Scalar(Math.max(1, HOTTEST * (1 - step / 1000.0))));
                }
            }
        }

        /** Sets T to its value after the last of these steps, with which the adapter was evaluated. */
        @Override
        public void afterRestore(long steps) {
            beforeStep(Math.max(0, steps - 1));
        }

        /** {@code 0.01 ‖I - V‖²} over all places. */
        @Override
        public @Nullable Tensor penalty() {
            Tensor sum = null;
            for (Tensor value : values) {
                Tensor away = value.sub(Ops.to(torch.eye(value.size(0)), value.scalar_type()));
                Tensor part = Ops.scale(away.mul(away).sum(), 0.01);
                sum = sum == null ? part : sum.add(part);
            }
            return sum;
        }
    }

    @Override
    public void write(ObjectNode c, Base base) {
        c.put("architecture", FUSION);
        settings.write(c.putObject("config"));
        ObjectNode adapters = c.putObject("adapters");
        children.forEach(child -> child.write(adapters.putObject(child.name)));
    }

    /** Registers {@code fusion}. */
    public static final class Kind implements AdapterHubType {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return FUSION;
        }

        @Override
        public String summary() {
            return "attention over the results of several trained bottlenecks (AdapterFusion)";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL.withMergeable(false).withIdentityAtStart(false);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return FUSION;
        }

        /** Adapters are their settings, or the folders that they are in. */
        @Override
        public Method read(Fields f, Base base) {
            f.ignore("architecture");
            FusionSettings settings = FusionSettings.read(f.object("config"));
            Fields adapters = f.object("adapters");
            List<Child> children = new ArrayList<>();
            for (String name : adapters.names()) {
                JsonNode given = adapters.node(name);
                children.add(
                        given != null && given.isString()
                                ? child(name, NestedAdapters.load(base, Path.of(given.stringValue())))
                                : Child.read(name, adapters.object(name)));
            }
            return new Fusion(settings, children);
        }
    }
}
