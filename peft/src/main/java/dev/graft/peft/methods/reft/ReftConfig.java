package dev.graft.peft.methods.reft;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.functions.Activation;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.peft.CachedValue;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.ParameterDeclaration;
import dev.graft.peft.methods.internal.AdapterHubFields;
import dev.graft.peft.methods.internal.AdapterHubType;
import dev.graft.tensor.Ops;
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.HashSet;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The settings of representation fine-tuning (Wu et al., 2024) that its methods share, as in AdapterHub. After a layer the hidden states h of the
 * first and the last few positions become {@code h + Rᵀ (σ(W h + b) - R h)}, with R and W {@code [r, hidden]}. There is one unit for the first
 * positions and another for the last, or one for both. Positions don't count padding; where first and last overlap, the last win.
 *
 * @param r the number of edited directions
 * @param first the number of positions at the start
 * @param last the number of positions at the end
 * @param tied whether both share one unit
 * @param layers only layers with these indices; null for all
 * @param orthogonal whether R has orthonormal rows
 * @param subtract whether R h is subtracted
 * @param activation σ by AdapterHub's name, or null for the identity
 * @param dropout probability that a value of an edited state is dropped in training
 */
@RecordBuilder
public record ReftConfig(
        int r,
        int first,
        int last,
        boolean tied,
        @Nullable List<Integer> layers,
        boolean orthogonal,
        boolean subtract,
        @Nullable String activation,
        double dropout)
        implements ReftConfigBuilder.With {
    /** LoReFT with four directions at the first four positions after every layer. */
    public static final ReftConfig DEFAULT = ReftConfigBuilder.builder()
            .r(4)
            .first(4)
            .orthogonal(true)
            .subtract(true)
            .dropout(0.05)
            .build();

    public ReftConfig {
        layers = layers == null ? null : List.copyOf(layers);
        if (r < 1) {
            throw new InputException("r is " + r + ", expected at least 1");
        }
        if (first < 0 || last < 0 || first + last == 0) {
            throw new InputException("prefix_positions is " + first + " and suffix_positions is " + last
                    + ", expected 0 or more and one of them above 0");
        }
        if (activation != null) {
            AdapterHubFields.activation(activation);
        }
        AdapterHubFields.requireDropout("dropout", dropout);
    }

    /** Declares the units behind the layers. */
    void graft(Grafter g) {
        int hidden = g.base().backbone().hiddenSize();
        if (orthogonal && r >= hidden) {
            throw new InputException("r is " + r + ", expected less than the hidden size " + hidden);
        }
        if (layers != null) {
            AdapterHubFields.requireLayers("layers", layers, g.base());
        }
        Activation sigma = activation == null ? null : AdapterHubFields.activation(activation);
        for (Site site : g.base().sites()) {
            if (site instanceof Layer layer
                    && (layers == null || layers.contains(AdapterHubFields.layer(layer, g.base())))) {
                Unit start = unit(g, layer, 0, first > 0 || tied, sigma);
                Unit end = tied ? start : unit(g, layer, 1, last > 0, sigma);
                g.add(layer, new Edit(start, end, first, last, dropout));
            }
        }
    }

    /** A unit; that of no positions is in AdapterHub's files and counts too, but has nothing to learn from. */
    private Unit unit(Grafter g, Layer layer, int index, boolean acts, @Nullable Activation sigma) {
        String at = layer.name() + ".reft_layer.refts.*.units." + index + ".";
        long hidden = layer.hidden();
        ParameterDeclaration declare = acts ? g::parameter : g::unusedParameter;
        Tensor w = declare.of(at + "learned_source.weight", Initializer.KAIMING, r, hidden);
        Tensor b = declare.of(at + "learned_source.bias", Initializer.uniform(1 / Math.sqrt(hidden)), r);
        String projection = at + "projection.";
        if (orthogonal) {
            CachedValue rotation = Householder.of(g, declare, projection + "parametrizations.weight.", r, hidden);
            return new Unit(w, b, rotation::value, subtract, sigma);
        }
        Tensor free = declare.of(projection + "weight", Initializer.KAIMING, r, hidden);
        return new Unit(w, b, () -> free, subtract, sigma);
    }

    /**
     * @param w {@code [r, hidden]}
     * @param b {@code [r]}
     * @param rotation R {@code [r, hidden]}
     */
    private record Unit(
            Tensor w,
            Tensor b,
            Supplier<Tensor> rotation,
            boolean subtract,
            @Nullable Activation activation) {
        Tensor edit(Tensor h) {
            Tensor r = rotation.get();
            Tensor change = Ops.linear(h, w, b);
            if (activation != null) {
                change = activation.apply(change);
            }
            if (subtract) {
                change = change.sub(Ops.linear(h, r, null));
            }
            return h.add(change.matmul(r));
        }
    }

    private record Edit(Unit start, Unit end, int first, int last, double dropout) implements Effect.Intervene {
        @Override
        public Tensor apply(Tensor hidden, Tensor mask, @Nullable Tensor earlier, PassView pass) {
            Tensor h = hidden;
            Tensor order = mask.cumsum(1);
            Tensor real = mask.ne(new Scalar(0L));
            if (first > 0) {
                Tensor position = earlier == null ? order : order.add(earlier);
                h = where(real.logical_and(position.le(new Scalar((long) first))), start, hidden, h, pass);
            }
            if (last > 0 && earlier == null) {
                Tensor total = Ops.sum(mask, 1, true);
                Tensor fromEnd = total.sub(order);
                h = where(real.logical_and(fromEnd.lt(new Scalar((long) last))), end, hidden, h, pass);
            }
            return h;
        }

        private Tensor where(Tensor chosen, Unit unit, Tensor from, Tensor otherwise, PassView pass) {
            if (!chosen.any().item_bool()) {
                return otherwise;
            }
            Tensor edited = Dropout.apply(unit.edit(from), dropout, pass.isTraining());
            return torch.where(chosen.unsqueeze(-1), edited, otherwise);
        }
    }

    void write(ObjectNode c) {
        c.put("architecture", "reft");
        c.put("r", r);
        c.put("prefix_positions", first);
        c.put("suffix_positions", last);
        c.put("tied_weights", tied);
        if (layers == null) {
            c.put("layers", "all");
        } else {
            layers.forEach(c.putArray("layers")::add);
        }
        c.put("dropout", dropout);
        c.put("orthogonality", orthogonal);
        if (!subtract) {
            // AdapterHub doesn't write this, and so reads its own DiReFT as NoReFT.
            c.put("subtract_projection", false);
        }
        c.put("output_reft", true);
        c.put("non_linearity", activation);
        c.putNull("dtype");
        c.putNull("init_weights_seed");
    }

    static ReftConfig read(Fields f) {
        f.ignore("init_weights_seed", "dtype", "architecture");
        if (!f.bool("output_reft", true)) {
            throw f.invalid("output_reft", "true: edits elsewhere than behind a layer are not supported");
        }
        return new ReftConfig(
                f.integer("r", 1, 1),
                f.integer("prefix_positions", 3, 0),
                f.integer("suffix_positions", 0, 0),
                f.bool("tied_weights", false),
                layers(f),
                f.bool("orthogonality"),
                f.bool("subtract_projection", true),
                f.stringOrNull("non_linearity"),
                f.number("dropout", 0.05));
    }

    private static @Nullable List<Integer> layers(Fields f) {
        JsonNode value = f.node("layers");
        if (value == null || value.isString()) {
            f.choice("layers", "all", "all");
            return null;
        }
        List<Integer> layers = f.integersOrNull("layers");
        if (layers == null || layers.isEmpty() || new HashSet<>(layers).size() < layers.size()) {
            throw f.invalid("layers", "\"all\" or a list of different layers", "all");
        }
        return layers;
    }

    /** Registers one of these methods. */
    abstract static class Kind implements AdapterHubType {
        private final String name;
        private final String summary;
        private final Choice choice;
        private final Function<ReftConfig, Method> method;

        /** The choice of a method's settings. */
        interface Choice {
            boolean isOf(boolean orthogonal, boolean subtract);
        }

        Kind(String name, String summary, Choice choice, Function<ReftConfig, Method> method) {
            this.name = name;
            this.summary = summary;
            this.choice = choice;
            this.method = method;
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public String summary() {
            return summary;
        }

        @Override
        public double rateFactor() {
            return 3;
        }

        @Override
        public Method.Capabilities capabilities() {
            return Method.Capabilities.ALL.withMergeable(false).withIdentityAtStart(false);
        }

        @Override
        public String peftType() {
            return "reft";
        }

        @Override
        public boolean matches(Fields f) {
            return AdapterHubFields.isOf(f, "reft")
                    && choice.isOf(is(f, "orthogonality"), is(f, "subtract_projection"));
        }

        private static boolean is(Fields f, String field) {
            JsonNode value = f.node(field);
            return value == null || !value.isBoolean() || value.booleanValue();
        }

        @Override
        public Method read(Fields f, Base base) {
            return method.apply(ReftConfig.read(f));
        }

        /** Refuses settings that are another method. */
        void require(ReftConfig config) {
            if (!choice.isOf(config.orthogonal, config.subtract)) {
                throw new InputException("orthogonality is " + config.orthogonal + " and subtract_projection is "
                        + config.subtract + ", which isn't " + name());
            }
        }
    }
}
