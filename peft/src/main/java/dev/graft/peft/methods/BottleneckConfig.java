package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The settings that all bottleneck adapters share, AdapterHub's {@code BnConfig}. After a block with input x from the residual stream and
 * output h, with LN the normalisation behind it (the identity where the model normalises before its blocks):
 *
 * <pre>{@code
 * A(z) = s · (U σ(D z + d) + u)
 * z    = x if parallel, else LN(x + h) if normed, else h
 * y    = LN(x + h + A(z))
 * }</pre>
 *
 * with D {@code [m, hidden]}, U {@code [hidden, m]} and m = hidden / reduction, at least 1.
 *
 * @param attention whether there is one behind attention blocks
 * @param feedForward whether there is one behind feed-forward blocks
 * @param cross whether there is one behind cross-attention blocks
 * @param reduction hidden / m
 * @param reductions other values by layer
 * @param activation σ by AdapterHub's name
 * @param parallel whether it reads x
 * @param normed whether it reads LN(x + h)
 * @param norms the less usual choices about normalisation and residuals
 * @param scaling s
 * @param gated whether A is multiplied by a {@link Gate}
 * @param dropout probability that a value of A's result is dropped in training
 * @param stochasticDepth probability that a row of the batch goes without A in training
 * @param start how D and U start
 * @param leaveOut layers without one
 * @param phm what D and U are made of in a Compacter, else null
 * @param coupling the invertible adapter behind the embeddings, or null
 */
public record BottleneckConfig(
        boolean attention,
        boolean feedForward,
        boolean cross,
        double reduction,
        Map<Integer, Double> reductions,
        String activation,
        boolean parallel,
        boolean normed,
        Norms norms,
        Scaling scaling,
        boolean gated,
        double dropout,
        double stochasticDepth,
        Start start,
        List<Integer> leaveOut,
        @Nullable Phm phm,
        @Nullable Coupling coupling) {

    /**
     * The less usual choices.
     *
     * @param after whether y is normalised with x added; else y is h + A(z) itself
     * @param residual what A's result is added to where z is normed
     * @param ownBefore whether A starts with a trained layer norm
     * @param ownAfter whether A ends with a trained layer norm
     * @param residualInside whether that one includes the residual
     */
    public record Norms(boolean after, Residual residual, boolean ownBefore, boolean ownAfter, boolean residualInside) {
        /** As nearly all adapters have it. */
        public static final Norms USUAL = new Norms(true, Residual.OUTPUT, false, false, false);
    }

    /** What the result of a bottleneck is added to. */
    public enum Residual {
        /** h. */
        OUTPUT,
        /** x + h. */
        SUM,
        /** LN(x + h). */
        NORMED
    }

    /** How the weights start. */
    public enum Start {
        /** Normal with deviation 0.02. */
        BERT,
        /** D Kaiming-uniform, U zero: the identity. */
        MAM_ADAPTER,
        /** Normal with deviation 0.01 within two deviations. */
        HOULSBY
    }

    /**
     * s.
     *
     * @param trained whether it is learned, from 1
     * @param byChannel whether each of the hidden values has its own
     */
    public record Scaling(double value, boolean trained, boolean byChannel) {
        /** One for all, learned. */
        public static final Scaling LEARNED = new Scaling(1, true, false);

        /** One for each hidden value, learned. */
        public static final Scaling CHANNEL = new Scaling(1, true, true);

        public static Scaling of(double value) {
            return new Scaling(value, false, false);
        }
    }

    /** Behind every feed-forward block, hidden / 16, ReLU, s = 1. */
    public static final BottleneckConfig DEFAULT = new BottleneckConfig(
            false,
            true,
            false,
            16,
            Map.of(),
            "relu",
            false,
            true,
            Norms.USUAL,
            Scaling.of(1),
            false,
            0,
            0,
            Start.BERT,
            List.of(),
            null,
            null);

    public BottleneckConfig {
        reductions = Map.copyOf(reductions);
        leaveOut = List.copyOf(leaveOut);
        if (!attention && !feedForward && !cross) {
            throw new InputException("mh_adapter and output_adapter are both false: there is no place for an adapter");
        }
        positive(reduction);
        reductions.values().forEach(BottleneckConfig::positive);
        AdapterHubFields.activation(activation);
        AdapterHubFields.requireDropout("dropout", dropout);
        AdapterHubFields.requireDropout("stochastic_depth", stochasticDepth);
        if (!Double.isFinite(scaling.value)) {
            throw new InputException("scaling is " + scaling.value + ", expected a number");
        }
        if (parallel && stochasticDepth > 0) {
            throw new InputException(
                    "stochastic_depth is " + stochasticDepth + ", but is_parallel is true: expected 0");
        }
        if (phm != null && start != Start.BERT) {
            throw new InputException(
                    "init_weights is \"" + name(start) + "\", but phm_layer is true: expected \"bert\"");
        }
    }

    private static void positive(double factor) {
        if (!(factor > 0 && Double.isFinite(factor))) {
            throw new InputException("reduction_factor is " + factor + ", expected a number above 0");
        }
    }

    public BottleneckConfig withPlaces(boolean behindAttention, boolean behindFeedForward) {
        Copy copy = new Copy(this);
        copy.attention = behindAttention;
        copy.feedForward = behindFeedForward;
        return copy.made();
    }

    /** The same behind cross-attention blocks too. */
    public BottleneckConfig withCross() {
        Copy copy = new Copy(this);
        copy.cross = true;
        return copy.made();
    }

    public BottleneckConfig withReduction(double factor) {
        return withReductions(factor, Map.of());
    }

    public BottleneckConfig withReductions(double factor, Map<Integer, Double> byLayer) {
        Copy copy = new Copy(this);
        copy.reduction = factor;
        copy.reductions = byLayer;
        return copy.made();
    }

    public BottleneckConfig withActivation(String newActivation) {
        Copy copy = new Copy(this);
        copy.activation = newActivation;
        return copy.made();
    }

    public BottleneckConfig withForm(boolean newParallel, boolean newNormed, Norms newNorms) {
        Copy copy = new Copy(this);
        copy.parallel = newParallel;
        copy.normed = newNormed;
        copy.norms = newNorms;
        return copy.made();
    }

    public BottleneckConfig withScaling(Scaling newScaling) {
        Copy copy = new Copy(this);
        copy.scaling = newScaling;
        return copy.made();
    }

    public BottleneckConfig withGate() {
        Copy copy = new Copy(this);
        copy.gated = true;
        return copy.made();
    }

    public BottleneckConfig withDropout(double values, double rows) {
        Copy copy = new Copy(this);
        copy.dropout = values;
        copy.stochasticDepth = rows;
        return copy.made();
    }

    public BottleneckConfig withStart(Start newStart) {
        Copy copy = new Copy(this);
        copy.start = newStart;
        return copy.made();
    }

    public BottleneckConfig withLeaveOut(List<Integer> layers) {
        Copy copy = new Copy(this);
        copy.leaveOut = layers;
        return copy.made();
    }

    public BottleneckConfig with(@Nullable Phm newPhm, @Nullable Coupling newCoupling) {
        Copy copy = new Copy(this);
        copy.phm = newPhm;
        copy.coupling = newCoupling;
        return copy.made();
    }

    /** Another configuration in the making: what isn't set is that of the first. */
    private static final class Copy {
        private boolean attention;
        private boolean feedForward;
        private boolean cross;
        private double reduction;
        private Map<Integer, Double> reductions;
        private String activation;
        private boolean parallel;
        private boolean normed;
        private Norms norms;
        private Scaling scaling;
        private boolean gated;
        private double dropout;
        private double stochasticDepth;
        private Start start;
        private List<Integer> leaveOut;
        private @Nullable Phm phm;
        private @Nullable Coupling coupling;

        Copy(BottleneckConfig first) {
            attention = first.attention;
            feedForward = first.feedForward;
            cross = first.cross;
            reduction = first.reduction;
            reductions = first.reductions;
            activation = first.activation;
            parallel = first.parallel;
            normed = first.normed;
            norms = first.norms;
            scaling = first.scaling;
            gated = first.gated;
            dropout = first.dropout;
            stochasticDepth = first.stochasticDepth;
            start = first.start;
            leaveOut = first.leaveOut;
            phm = first.phm;
            coupling = first.coupling;
        }

        BottleneckConfig made() {
            return new BottleneckConfig(
                    attention,
                    feedForward,
                    cross,
                    reduction,
                    reductions,
                    activation,
                    parallel,
                    normed,
                    norms,
                    scaling,
                    gated,
                    dropout,
                    stochasticDepth,
                    start,
                    leaveOut,
                    phm,
                    coupling);
        }
    }

    /** Declares the bottlenecks at every place. */
    void graft(Grafter g) {
        AdapterHubFields.requireSome(leaveOut, g.base());
        if (cross && !g.base().isEncoderDecoder()) {
            throw new InputException("cross_adapter is true, but " + g.base().name()
                    + " has no decoder that attends to an encoder: expected false");
        }
        AdapterHubFields.requireLayers("reduction_factor", reductions.keySet(), g.base());
        Phm.@Nullable Layers hypercomplex = phm == null ? null : phm.new Layers(g);
        for (Site site : g.base().sites()) {
            if (site instanceof Block block && wants(block, g.base())) {
                g.add(block, BottleneckLayer.of(g, block, this, hypercomplex));
                Norm norm = block.norm();
                if (!norms.after && norm != null) {
                    g.add(norm, new Effect.Skip());
                }
            }
        }
        if (coupling != null) {
            coupling.graft(g, activation);
        }
    }

    /** Declares copies of the parameters of every layer norm outside the layers that are left out, to be trained. */
    void graftNorms(Grafter g) {
        for (Site site : g.base().sites()) {
            if (site instanceof Norm norm
                    && !g.isSavedWhole(norm)
                    && !leaveOut.contains(AdapterHubFields.layer(norm, g.base()))) {
                Tensor bias = norm.bias();
                g.add(
                        norm,
                        new Effect.Replace(
                                g.parameter(
                                        norm,
                                        "weight",
                                        Initial.copy(norm.weight()),
                                        norm.weight().numel()),
                                bias == null ? null : g.parameter(norm, "bias", Initial.copy(bias), bias.numel())));
            }
        }
    }

    /** Whether there is a bottleneck behind the block. */
    private boolean wants(Block block, Base base) {
        boolean place = switch (block.kind()) {
            case ATTENTION -> attention;
            case CROSS_ATTENTION -> cross;
            case FEED_FORWARD -> feedForward;
        };
        return place && !leaveOut.contains(AdapterHubFields.layer(block, base));
    }

    /** m, as AdapterHub: {@code int(hidden // factor)}, at least 1. */
    long size(Block block, Base base) {
        double factor = reductions.getOrDefault(AdapterHubFields.layer(block, base), reduction);
        return Math.max(1, Reduction.of(block.hidden(), factor));
    }

    void write(ObjectNode c) {
        c.put("mh_adapter", attention);
        c.put("output_adapter", feedForward);
        c.put("cross_adapter", cross);
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
        if (scaling.trained) {
            c.put("scaling", scaling.byChannel ? "channel" : "learned");
        } else {
            c.put("scaling", scaling.value);
        }
        c.put("dropout", dropout);
        c.put("stochastic_depth", stochasticDepth);
        leaveOut.forEach(c.putArray("leave_out")::add);
        c.put("init_weights", name(start));
        c.putNull("init_weights_seed");
        c.put("is_parallel", parallel);
        c.put("original_ln_before", normed);
        c.put("original_ln_after", norms.after);
        if (norms.residual == Residual.SUM) {
            c.put("residual_before_ln", "post_add");
        } else {
            c.put("residual_before_ln", norms.residual == Residual.OUTPUT);
        }
        c.put("adapter_residual_before_ln", norms.residualInside);
        c.put("ln_before", norms.ownBefore);
        c.put("ln_after", norms.ownAfter);
        c.put("use_gating", gated);
        Coupling.write(c, coupling);
        c.put("phm_layer", phm != null);
        (phm == null ? Phm.DEFAULT : phm).write(c);
    }

    private static String name(Start start) {
        return start.name().toLowerCase(java.util.Locale.ROOT);
    }

    static void put(ObjectNode c, String field, double factor) {
        if (factor == Math.rint(factor) && factor < 1e9) {
            c.put(field, (long) factor);
        } else {
            c.put(field, factor);
        }
    }

    /** Reads AdapterHub's fields; those that are missing mean what they mean there. */
    static BottleneckConfig read(Fields f) {
        f.informational("init_weights_seed", "architecture");
        Map<Integer, Double> reductions = new LinkedHashMap<>();
        double reduction = reduction(f, reductions);
        Phm phm = Phm.read(f);
        return new BottleneckConfig(
                f.bool("mh_adapter"),
                f.bool("output_adapter"),
                f.bool("cross_adapter", false),
                reduction,
                reductions,
                f.choice("non_linearity", "relu", AdapterHubFields.activations()),
                f.bool("is_parallel", false),
                f.bool("original_ln_before", false),
                new Norms(
                        f.bool("original_ln_after", true),
                        residual(f),
                        f.bool("ln_before", false),
                        f.bool("ln_after", false),
                        f.bool("adapter_residual_before_ln", false)),
                scaling(f),
                f.bool("use_gating", false),
                f.number("dropout", 0),
                f.number("stochastic_depth", 0),
                start(f),
                AdapterHubFields.leaveOut(f),
                f.bool("phm_layer", false) ? phm : null,
                Coupling.read(f));
    }

    private static Start start(Fields f) {
        return switch (f.choice("init_weights", "bert", "bert", "mam_adapter", "houlsby")) {
            case "mam_adapter" -> Start.MAM_ADAPTER;
            case "houlsby" -> Start.HOULSBY;
            default -> Start.BERT;
        };
    }

    private static Residual residual(Fields f) {
        JsonNode given = f.node("residual_before_ln");
        if (given != null && given.isString()) {
            f.choice("residual_before_ln", "post_add", "post_add");
            return Residual.SUM;
        }
        return f.bool("residual_before_ln", true) ? Residual.OUTPUT : Residual.NORMED;
    }

    private static Scaling scaling(Fields f) {
        JsonNode given = f.node("scaling");
        if (given != null && given.isString()) {
            return f.choice("scaling", "learned", "learned", "channel").equals("channel")
                    ? Scaling.CHANNEL
                    : Scaling.LEARNED;
        }
        return Scaling.of(f.number("scaling", 1));
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
