package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Activation;
import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.Method;
import dev.graft.tensor.Ops;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The sequential bottleneck adapter of Pfeiffer et al. (2020), AdapterHub's {@code seq_bn}: after a block with input x from the residual
 * stream and output h, {@code y = LN(x + h + A(LN(x + h)))} with {@code A(z) = s · (U σ(D z + d) + u)}, D {@code [m, hidden]},
 * U {@code [hidden, m]} and m = hidden / reduction, at least 1. Where the model normalises before its blocks LN is the identity:
 * {@code y = x + h + A(x + h)}. By default behind the feed-forward block of every layer.
 *
 * <p>Trained: 2 · hidden · m + m + hidden for each place. Weights start normal with deviation 0.02 and biases at zero ({@code bert}): near
 * the identity, not at it; with {@code mam_adapter} D starts Kaiming-uniform and U at zero, and a new adapter changes nothing. Files, in
 * AdapterHub's layout: {@code <block>.adapters.NAME.adapter_down.0.weight}, {@code .bias}, {@code adapter_up.weight}, {@code .bias}. Doesn't
 * merge. Use it to exchange adapters with AdapterHub, and where an update that isn't linear helps; it costs time at every call that LoRA,
 * merged, doesn't.
 *
 * @param attention whether there is one behind attention blocks
 * @param feedForward whether there is one behind feed-forward blocks
 * @param reduction hidden / m
 * @param reductions other values by layer
 * @param activation σ by AdapterHub's name
 * @param scaling s
 * @param dropout probability that a value of A's result is dropped in training
 * @param leaveOut layers without one
 * @param zeroUp whether U starts at zero
 */
public record Pfeiffer(
        boolean attention,
        boolean feedForward,
        double reduction,
        Map<Integer, Double> reductions,
        String activation,
        double scaling,
        double dropout,
        List<Integer> leaveOut,
        boolean zeroUp)
        implements Method {
    private static final List<String> ACTIVATIONS = List.of("relu", "gelu", "gelu_new", "swish", "silu", "tanh");

    /** Behind every feed-forward block, hidden / 16, ReLU. */
    public static final Pfeiffer DEFAULT = new Pfeiffer(false, true, 16, Map.of(), "relu", 1, 0, List.of(), false);

    public Pfeiffer {
        reductions = Map.copyOf(reductions);
        leaveOut = List.copyOf(leaveOut);
        if (!attention && !feedForward) {
            throw new InputException("mh_adapter and output_adapter are both false: there is no place for an adapter");
        }
        positive(reduction);
        reductions.values().forEach(Pfeiffer::positive);
        if (!ACTIVATIONS.contains(activation)) {
            throw new InputException("non_linearity is \"" + activation + "\", expected one of " + ACTIVATIONS);
        }
        if (!(dropout >= 0 && dropout < 1)) {
            throw new InputException("dropout is " + dropout + ", expected 0 or more and less than 1");
        }
        if (!Double.isFinite(scaling)) {
            throw new InputException("scaling is " + scaling + ", expected a number");
        }
    }

    private static void positive(double factor) {
        if (!(factor > 0 && Double.isFinite(factor))) {
            throw new InputException("reduction_factor is " + factor + ", expected a number above 0");
        }
    }

    public Pfeiffer withReduction(double factor) {
        return new Pfeiffer(attention, feedForward, factor, reductions, activation, scaling, dropout, leaveOut, zeroUp);
    }

    /** The same, starting as the identity. */
    public Pfeiffer startingAtZero() {
        return new Pfeiffer(
                attention, feedForward, reduction, reductions, activation, scaling, dropout, leaveOut, true);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        checkLayers(g.base());
        for (Site site : g.base().sites()) {
            if (site instanceof Block block && wants(block)) {
                long m = size(block);
                String at = "adapters.*.";
                g.add(
                        block,
                        new Bottleneck(
                                g.parameter(block, at + "adapter_down.0.weight", down(), m, block.hidden()),
                                g.parameter(block, at + "adapter_down.0.bias", Initial.ZEROS, m),
                                g.parameter(block, at + "adapter_up.weight", up(), block.hidden(), m),
                                g.parameter(block, at + "adapter_up.bias", Initial.ZEROS, block.hidden()),
                                Activation.of("non_linearity", activation),
                                scaling,
                                dropout));
            }
        }
    }

    private Initial down() {
        return zeroUp ? Initial.KAIMING : Initial.normal(0.02);
    }

    private Initial up() {
        return zeroUp ? Initial.ZEROS : Initial.normal(0.02);
    }

    private boolean wants(Block block) {
        boolean place = block.kind() == Block.Kind.ATTENTION ? attention : feedForward;
        return place && !leaveOut.contains(block.layer());
    }

    /** As AdapterHub: {@code int(hidden // factor)}, at least 1. */
    private long size(Block block) {
        double factor = reductions.getOrDefault(block.layer(), reduction);
        return Math.max(1, (long) Math.floor(block.hidden() / factor));
    }

    private void checkLayers(Base base) {
        int layers = base.backbone().layers();
        for (int layer : leaveOut) {
            if (layer < 0 || layer >= layers) {
                throw new InputException(
                        "leave_out has " + layer + ", but " + base.name() + " has " + layers + " layers");
            }
        }
        if (leaveOut.stream().distinct().count() == layers) {
            throw new InputException("leave_out has every layer of " + base.name() + ": nothing is left to train");
        }
        for (int layer : reductions.keySet()) {
            if (layer < 0 || layer >= layers) {
                throw new InputException(
                        "reduction_factor has layer " + layer + ", but " + base.name() + " has " + layers + " layers");
            }
        }
    }

    private record Bottleneck(
            Tensor down,
            Tensor downBias,
            Tensor up,
            Tensor upBias,
            Activation activation,
            double scaling,
            double dropout)
            implements Effect.Bottleneck {
        @Override
        public Tensor apply(Tensor residual, Tensor output, UnaryOperator<Tensor> norm, Pass pass) {
            Tensor z = norm.apply(residual.add(output));
            Tensor a = Ops.linear(activation.apply(Ops.linear(z, down, downBias)), up, upBias);
            Tensor scaled = scaling == 1 ? a : Ops.scale(a, scaling);
            return output.add(Ops.dropout(scaled, dropout, pass.isTraining()));
        }
    }

    @Override
    public void write(ObjectNode c, Base base) {
        c.put("mh_adapter", attention);
        c.put("output_adapter", feedForward);
        if (reductions.isEmpty()) {
            put(c, "reduction_factor", reduction);
        } else {
            ObjectNode map = c.putObject("reduction_factor");
            reductions.keySet().stream()
                    .sorted()
                    .forEach(layer -> put(map, Integer.toString(layer), reductions.getOrDefault(layer, reduction)));
            put(map, "default", reduction);
        }
        c.put("non_linearity", activation);
        c.put("scaling", scaling);
        c.put("dropout", dropout);
        leaveOut.forEach(c.putArray("leave_out")::add);
        c.put("init_weights", zeroUp ? "mam_adapter" : "bert");
        c.put("original_ln_before", true);
        c.put("original_ln_after", true);
        c.put("residual_before_ln", true);
        for (String off : Kind.OFF) {
            c.put(off, false);
        }
        c.put("stochastic_depth", 0.0);
        c.putNull("inv_adapter");
        c.putNull("inv_adapter_reduction_factor");
        c.putNull("init_weights_seed");
        // What a Compacter would be made of; AdapterHub writes these always.
        c.put("factorized_phm_W", true);
        c.put("factorized_phm_rule", false);
        c.put("hypercomplex_nonlinearity", "glorot-uniform");
        c.put("learn_phm", true);
        c.put("phm_bias", true);
        c.put("phm_c_init", "normal");
        c.put("phm_dim", 4);
        c.put("phm_init_range", 0.0001);
        c.put("phm_rank", 1);
        c.put("shared_W_phm", false);
        c.put("shared_phm_rule", true);
    }

    private static void put(ObjectNode c, String field, double factor) {
        if (factor == Math.rint(factor) && factor < 1e9) {
            c.put(field, (long) factor);
        } else {
            c.put(field, factor);
        }
    }

    /** Registers {@code pfeiffer}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        private static final List<String> OFF = List.of(
                "adapter_residual_before_ln",
                "cross_adapter",
                "is_parallel",
                "ln_after",
                "ln_before",
                "phm_layer",
                "use_gating");

        @Override
        public String name() {
            return "pfeiffer";
        }

        @Override
        public String summary() {
            return "a small network behind the feed-forward block of each layer (AdapterHub's seq_bn)";
        }

        @Override
        public Layout layout() {
            return Layout.ADAPTER_HUB;
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
            return "seq_bn";
        }

        /** AdapterHub's bottlenecks are the ones without an architecture. */
        @Override
        public boolean reads(Fields config) {
            JsonNode architecture = config.node("architecture");
            return architecture == null || architecture.isNull();
        }

        @Override
        public Method read(Fields f, Base base) {
            for (String field : OFF) {
                only(f, field, false);
            }
            only(f, "original_ln_before", true);
            only(f, "original_ln_after", true);
            only(f, "residual_before_ln", true);
            if (f.stringOrNull("inv_adapter") != null) {
                throw f.wrong("inv_adapter", "null: invertible adapters are not supported");
            }
            if (f.number("stochastic_depth", 0) != 0) {
                throw f.wrong("stochastic_depth", "0: dropping whole adapters is not supported");
            }
            JsonNode scaling = f.node("scaling");
            if (scaling != null && !scaling.isNumber()) {
                throw f.wrong("scaling", "a number: learned scales are not supported");
            }
            f.informational(
                    "factorized_phm_W",
                    "factorized_phm_rule",
                    "hypercomplex_nonlinearity",
                    "init_weights_seed",
                    "inv_adapter_reduction_factor",
                    "learn_phm",
                    "phm_bias",
                    "phm_c_init",
                    "phm_dim",
                    "phm_init_range",
                    "phm_rank",
                    "shared_W_phm",
                    "shared_phm_rule");
            Map<Integer, Double> reductions = new LinkedHashMap<>();
            List<Integer> leaveOut = f.integersOrNull("leave_out");
            return new Pfeiffer(
                    f.bool("mh_adapter"),
                    f.bool("output_adapter"),
                    reduction(f, reductions),
                    reductions,
                    f.choice("non_linearity", "relu", ACTIVATIONS.toArray(String[]::new)),
                    f.number("scaling", 1),
                    f.number("dropout", 0),
                    leaveOut == null ? List.of() : leaveOut,
                    f.choice("init_weights", "bert", "bert", "mam_adapter").equals("mam_adapter"));
        }

        private static void only(Fields f, String field, boolean value) {
            JsonNode given = f.node(field);
            if (given != null && !(given.isBoolean() && given.booleanValue() == value)) {
                throw f.wrong(field, value + ": other forms of bottlenecks than seq_bn are not supported");
            }
        }

        private static double reduction(Fields f, Map<Integer, Double> byLayer) {
            JsonNode value = f.node("reduction_factor");
            if (value == null || !value.isObject()) {
                return f.number("reduction_factor");
            }
            Fields map = f.object("reduction_factor");
            Set<String> layers = map.names();
            layers.remove("default");
            for (String layer : layers) {
                if (!layer.matches("\\d{1,4}")) {
                    throw map.wrong(layer, "a layer's number or \"default\" as key");
                }
                byLayer.put(Integer.valueOf(layer), map.number(layer));
            }
            if (!map.has("default")) {
                throw map.wrong("default", "a number for the layers that aren't named");
            }
            return map.number("default");
        }
    }
}
