package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorInfo;
import dev.graft.models.Base;
import dev.graft.models.StoredTensors;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * AdapterFusion (Pfeiffer et al., 2021) as AdapterHub has it: attention over the results of several trained bottlenecks, which stay frozen.
 * With z the input of the last of them and {@code aᵢ = A_i(z)}, at each place
 *
 * <pre>{@code
 * p = softmax((Q z + q) · (K aᵢ + k))      o = Σ pᵢ V aᵢ      y = LN(x + r + o)
 * }</pre>
 *
 * with Q, K, V {@code [hidden, hidden]} and r what the last adapter's result is added to. Without V it is the static fusion of
 * AdapterHub, with V the dynamic one.
 *
 * <p>Trained: for each place 3 · hidden² + 2 · hidden, static 2 · hidden² + 2 · hidden. Q and K start normal with deviation 0.02, V at the
 * identity; in training {@code 0.01 ‖I - V‖²} is added to the loss. With a temperature scores are divided by T, which starts at 50 and falls to
 * 1 in 980 steps, so that the adapters begin in nearly equal shares. Files, in AdapterHub's names: {@code <block>.adapter_fusion_layer.A,B.query},
 * {@code .key}, {@code .value}, and the adapters under their own names; AdapterHub has one folder for each of them and one for the fusion,
 * which {@link #load} reads. Doesn't merge. Use it where adapters for several tasks exist and a new task may need some of each.
 *
 * <pre>{@code
 * Adapter fusion = Adapter.create(base, Fusion.of(Map.of("nli", nli, "qa", qa)), 42);
 * }</pre>
 */
public record Fusion(Settings settings, List<Child> children) implements Method {
    private static final String FUSION = "fusion";
    private static final String TEMPERATURE = "adapter_fusion.*.temperature";
    private static final double HOTTEST = 50;

    /**
     * AdapterHub's {@code AdapterFusionConfig}.
     *
     * @param queryBeforeNorm whether queries are made of the block's output rather than of what the adapters read
     * @param valueFirst whether V acts before the weighted sum
     * @param identity whether V starts at the identity
     * @param regularised whether V is drawn to the identity in training
     * @param residualFirst whether r is added to each aᵢ, keys included, in place of the sum
     * @param temperature whether scores are divided by a T that falls from 50 to 1 in training, by 0.05 in each step
     * @param dropout of the scores, in training; null for what the base has for its attention
     */
    public record Settings(
            boolean query,
            boolean key,
            boolean value,
            boolean queryBeforeNorm,
            boolean valueFirst,
            boolean identity,
            boolean regularised,
            boolean residualFirst,
            boolean temperature,
            @Nullable Double dropout) {
        /** AdapterHub's default. */
        public static final Settings DYNAMIC =
                new Settings(true, true, true, false, true, true, true, false, false, null);

        /** Without V. */
        public static final Settings STATIC =
                new Settings(true, true, false, false, true, false, false, false, false, null);

        public Settings {
            if (!query && !key && !value) {
                throw new InputException("query, key and value are all false: there is nothing to train");
            }
            if (dropout != null) {
                AdapterHubFields.requireDropout("dropout_prob", dropout);
            }
        }
    }

    /**
     * An adapter that is fused.
     *
     * @param values its tensors by name; those that are missing start as in a new adapter
     */
    public record Child(String name, BottleneckConfig config, Map<String, Tensor> values) {
        public Child {
            values = Map.copyOf(values);
            if (!name.matches("[^.,*]+")) {
                throw new InputException("an adapter is called \"" + name + "\", expected a name without . , and *");
            }
            if (config.coupling() != null
                    || config.phm() != null && config.phm().sharedWeight()) {
                throw new InputException(name + " has parts beside its bottlenecks, which a fusion can't hold");
            }
        }
    }

    /** Two adapters that aren't trained, to be replaced. */
    public static final Fusion DEFAULT = new Fusion(
            Settings.DYNAMIC,
            List.of(
                    new Child("a", BottleneckConfig.DEFAULT, Map.of()),
                    new Child("b", BottleneckConfig.DEFAULT, Map.of())));

    public Fusion {
        children = List.copyOf(children);
        if (children.size() < 2 || children.stream().map(Child::name).distinct().count() < children.size()) {
            throw new InputException("adapters are "
                    + children.stream().map(Child::name).toList() + ", expected at least two with different names");
        }
    }

    /** The dynamic fusion of trained adapters, in the order of the map. */
    public static Fusion of(Map<String, Adapter> adapters) {
        List<Child> children = new ArrayList<>();
        adapters.forEach((name, adapter) -> children.add(child(name, adapter)));
        return new Fusion(Settings.DYNAMIC, children);
    }

    private static Child child(String name, Adapter adapter) {
        if (!(adapter.method() instanceof BottleneckMethod bottleneck)) {
            throw new InputException(
                    name + " is a " + adapter.method().type().name() + " adapter, but a fusion is of bottlenecks");
        }
        Map<String, Tensor> values = new LinkedHashMap<>();
        adapter.parameters().forEach((key, parameter) -> values.put(key, parameter.value()));
        return new Child(name, bottleneck.config(), values);
    }

    /** Reads a setup of AdapterHub: a folder for each adapter, and one named {@code A,B} for the fusion. */
    public static Adapter load(Base base, Path setup, String fusion) {
        Path folder = setup.resolve(fusion);
        Fields file = Fields.read(folder.resolve("adapter_fusion_config.json"));
        file.informational("hidden_size", "model_class", "model_name", "model_type", "name", "version");
        Fields config = file.object("config");
        Settings settings = settings(config);
        List<Child> children = new ArrayList<>();
        for (String name : file.strings("adapter_names")) {
            children.add(child(name, Adapter.load(base, setup.resolve(name))));
        }
        file.refuseUnread("It may change what the fusion means; remove it if it does not.");
        Adapter adapter = Adapter.create(base, new Fusion(settings, children), 0);
        read(folder.resolve("model_adapter_fusion.safetensors"), adapter);
        if (settings.temperature) {
            // AdapterHub doesn't save it: that of a training which was long enough.
            try (NoGrad off = new NoGrad()) {
                temperature(adapter).fill_(new Scalar(1.0));
            }
        }
        return adapter;
    }

    /** Takes the attention's values from a file; it must hold all of them and nothing else. */
    private static void read(Path path, Adapter adapter) {
        String prefix = adapter.base().architecture().prefix();
        Map<String, Tensor> wanted = new LinkedHashMap<>();
        adapter.trainable().forEach((key, value) -> {
            if (key.contains(".adapter_fusion_layer.")) {
                wanted.put(key.startsWith(prefix) ? key.substring(prefix.length()) : key, value);
            }
        });
        try (Safetensors file = Safetensors.open(path);
                NoGrad off = new NoGrad()) {
            for (String name : file.names()) {
                Tensor value = wanted.remove(name.startsWith(prefix) ? name.substring(prefix.length()) : name);
                TensorInfo info = file.info(name);
                if (value == null || !Arrays.equals(info.shape(), Tensors.shape(value))) {
                    throw new InputException(path + ": " + name + " " + Arrays.toString(info.shape())
                            + " is not what the fusion's configuration and the base call for");
                }
                value.copy_(Tensors.of(file.bytes(name), StoredTensors.type(info), info.shape()));
            }
        }
        if (!wanted.isEmpty()) {
            throw new InputException(
                    path + ": has no tensor " + wanted.keySet().iterator().next());
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        String name = children.stream().map(Child::name).collect(Collectors.joining(","));
        List<Map<Site, List<Effect>>> parts = new ArrayList<>();
        for (Child child : children) {
            Grafter part = g.frozenPart(child.name, child.values);
            child.config.graft(part);
            parts.add(part.effects());
        }
        double dropout = dropout(g.base());
        Tensor temperature = settings.temperature
                ? g.buffer(
                        AdapterHubFields.root(g.base()) + TEMPERATURE,
                        true,
                        (rng, shape) -> Ops.scale(Initial.ONES.make(rng, shape), HOTTEST),
                        1)
                : null;
        for (Site site : g.base().sites()) {
            List<BottleneckLayer> layers = new ArrayList<>();
            for (Map<Site, List<Effect>> part : parts) {
                for (Effect effect : part.getOrDefault(site, List.of())) {
                    if (effect instanceof BottleneckLayer layer) {
                        layers.add(layer);
                    } else {
                        g.add(site, effect);
                    }
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

    private double dropout(Base base) {
        if (settings.dropout != null) {
            return settings.dropout;
        }
        Double own = base.config().numberOrNull("attention_probs_dropout_prob");
        return own == null ? 0 : own;
    }

    /** T of an adapter with a temperature, {@code [1]}. */
    public static Tensor temperature(Adapter adapter) {
        return adapter.value(AdapterHubFields.root(adapter.base()) + TEMPERATURE);
    }

    @Override
    public TrainingRule training(Adapter adapter, TrainingRule.Run run) {
        List<Tensor> values = new ArrayList<>();
        adapter.trainable().forEach((key, value) -> {
            if (settings.regularised && key.endsWith(".value.weight") && key.contains(".adapter_fusion_layer.")) {
                values.add(value);
            }
        });
        return values.isEmpty() && !settings.temperature
                ? TrainingRule.NONE
                : new Rule(values, settings.temperature ? temperature(adapter) : null);
    }

    private record Rule(List<Tensor> values, @Nullable Tensor temperature) implements TrainingRule {
        /** T falls by a thousandth of its start, as AdapterHub's does with each forward pass. */
        @Override
        public void beforeStep(long step) {
            if (temperature != null) {
                try (NoGrad off = new NoGrad()) {
                    temperature.fill_(new Scalar(Math.max(1, HOTTEST * (1 - step / 1000.0))));
                }
            }
        }

        /** T of the last of these steps: what was evaluated after it. */
        @Override
        public void restored(long steps) {
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
        ObjectNode s = c.putObject("config");
        s.put("query", settings.query);
        s.put("key", settings.key);
        s.put("value", settings.value);
        s.put("query_before_ln", settings.queryBeforeNorm);
        s.put("value_before_softmax", settings.valueFirst);
        s.put("value_initialized", settings.identity);
        s.put("regularization", settings.regularised);
        s.put("residual_before", settings.residualFirst);
        s.put("temperature", settings.temperature);
        s.put("dropout_prob", settings.dropout);
        ObjectNode adapters = c.putObject("adapters");
        children.forEach(child -> child.config.write(adapters.putObject(child.name)));
    }

    private static Settings settings(Fields f) {
        return new Settings(
                f.bool("query", true),
                f.bool("key", true),
                f.bool("value", true),
                f.bool("query_before_ln", false),
                f.bool("value_before_softmax", true),
                f.bool("value_initialized", true),
                f.bool("regularization", true),
                f.bool("residual_before", false),
                f.bool("temperature", false),
                f.numberOrNull("dropout_prob"));
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
            return new Capabilities(false, false, true, true);
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
            f.informational("architecture");
            Settings settings = settings(f.object("config"));
            Fields adapters = f.object("adapters");
            List<Child> children = new ArrayList<>();
            for (String name : adapters.names()) {
                JsonNode given = adapters.node(name);
                children.add(
                        given != null && given.isString()
                                ? child(name, Adapter.load(base, Path.of(given.stringValue())))
                                : new Child(name, BottleneckConfig.read(adapters.object(name)), Map.of()));
            }
            return new Fusion(settings, children);
        }
    }
}
