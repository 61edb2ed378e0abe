package dev.graft.peft.methods.bottleneck;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Block;
import dev.graft.peft.methods.internal.AdapterHubFields;
import dev.graft.peft.methods.internal.Gate;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The settings that all bottleneck adapters share, AdapterHub's {@code BnConfig}. After a block with input x from the residual stream and output
 * h, with LN the normalisation behind it (the identity where the model normalises before its blocks):
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
 * @param reductions other reductions by layer
 * @param activation σ by AdapterHub's name
 * @param parallel whether it reads x
 * @param normed whether it reads LN(x + h)
 * @param norms less common choices of normalisation and residuals
 * @param scaling s
 * @param gated whether a {@link Gate} multiplies A
 * @param dropout probability that a value of A's result is dropped in training
 * @param stochasticDepth probability that a row of the batch skips A in training
 * @param init the initialisation of D and U
 * @param leaveOut layers without a bottleneck
 * @param phm the form of D and U in a Compacter, else null
 * @param coupling the invertible adapter after the embeddings, or null
 */
@RecordBuilder
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
        Init init,
        List<Integer> leaveOut,
        @Nullable Phm phm,
        @Nullable AdditiveCoupling coupling)
        implements BottleneckConfigBuilder.With {

    /**
     * Less common choices.
     *
     * @param after whether y is normalised with x added; else y is h + A(z) itself
     * @param residual the tensor to which A's result is added if z is normalised
     * @param ownBefore whether A starts with a trained layer norm
     * @param ownAfter whether A ends with a trained layer norm
     * @param residualInside whether that norm includes the residual
     */
    @RecordBuilder
    public record Norms(boolean after, Residual residual, boolean ownBefore, boolean ownAfter, boolean residualInside)
            implements BottleneckConfigNormsBuilder.With {
        /** The norms of nearly all adapters. */
        public static final Norms USUAL = BottleneckConfigNormsBuilder.builder()
                .after(true)
                .residual(Residual.OUTPUT)
                .build();
    }

    /** The tensor that the result of a bottleneck is added to. */
    public enum Residual {
        /** h. */
        OUTPUT,
        /** x + h. */
        SUM,
        /** LN(x + h). */
        NORMED
    }

    /** The initialisation of the weights. */
    public enum Init {
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
        /** One learned number for all values. */
        public static final Scaling LEARNED = new Scaling(1, true, false);

        /** One learned number for each hidden value. */
        public static final Scaling CHANNEL = new Scaling(1, true, true);

        public static Scaling of(double value) {
            return new Scaling(value, false, false);
        }
    }

    /** Bottlenecks after every feed-forward block, hidden / 16, ReLU, s = 1. */
    public static final BottleneckConfig DEFAULT = BottleneckConfigBuilder.builder()
            .feedForward(true)
            .reduction(16)
            .reductions(Map.of())
            .activation("relu")
            .normed(true)
            .norms(Norms.USUAL)
            .scaling(Scaling.of(1))
            .init(Init.BERT)
            .leaveOut(List.of())
            .build();

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
        if (phm != null && init != Init.BERT) {
            throw new InputException(
                    "init_weights is \"" + name(init) + "\", but phm_layer is true: expected \"bert\"");
        }
    }

    private static void positive(double factor) {
        if (!(factor > 0 && Double.isFinite(factor))) {
            throw new InputException("reduction_factor is " + factor + ", expected a number above 0");
        }
    }

    /** Returns m as in AdapterHub: {@code int(hidden // factor)}, at least 1. */
    long size(Block block, Base base) {
        double factor = reductions.getOrDefault(AdapterHubFields.layer(block, base), reduction);
        return Math.max(1, BottleneckWidth.of(block.hidden(), factor));
    }

    void write(ObjectNode c) {
        c.put("mh_adapter", attention);
        c.put("output_adapter", feedForward);
        c.put("cross_adapter", cross);
        if (reductions.isEmpty()) {
            AdapterHubFields.put(c, "reduction_factor", reduction);
        } else {
            ObjectNode map = c.putObject("reduction_factor");
            reductions.keySet().stream()
                    .sorted()
                    .forEach(layer -> AdapterHubFields.put(
                            map, Integer.toString(layer), reductions.getOrDefault(layer, reduction)));
            AdapterHubFields.put(map, "default", reduction);
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
        c.put("init_weights", name(init));
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
        AdditiveCoupling.write(c, coupling);
        c.put("phm_layer", phm != null);
        (phm == null ? Phm.DEFAULT : phm).write(c);
    }

    private static String name(Init init) {
        return init.name().toLowerCase(java.util.Locale.ROOT);
    }

    /** Reads AdapterHub's fields, with AdapterHub's defaults for missing ones. */
    static BottleneckConfig read(Fields f) {
        f.ignore("init_weights_seed", "architecture");
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
                init(f),
                AdapterHubFields.leaveOut(f),
                f.bool("phm_layer", false) ? phm : null,
                AdditiveCoupling.read(f));
    }

    private static Init init(Fields f) {
        return switch (f.choice("init_weights", "bert", "bert", "mam_adapter", "houlsby")) {
            case "mam_adapter" -> Init.MAM_ADAPTER;
            case "houlsby" -> Init.HOULSBY;
            default -> Init.BERT;
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
                throw map.invalid(layer, "a layer's number or \"default\" as key");
            }
            byLayer.put(Integer.valueOf(layer), map.number(layer));
        }
        if (!map.has("default")) {
            throw map.invalid("default", "a number for the layers that aren't named");
        }
        return map.number("default");
    }
}
