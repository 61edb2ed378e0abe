package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.Method;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.HashSet;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * LoReFT (Wu et al., 2024) as AdapterHub has it: after a layer the hidden states h of the first and the last few positions become
 * {@code h + Rᵀ (W h + b - R h)}, with {@code R [r, hidden]} of orthonormal rows and {@code W [r, hidden]}; one unit for the first positions,
 * another for the last, or one for both. Positions count what isn't padding; where first and last meet, the last win.
 *
 * <p>R is the Householder parametrization of {@code torch.nn.utils.parametrizations.orthogonal}: {@code Rᵀ = B · H₀ ⋯ H_{r-1}[:, :r] · D}
 * with a fixed orthogonal {@code B [hidden, hidden]}, {@code Hᵢ = I - τᵢ vᵢ vᵢᵀ}, vᵢ one at i and row i of the trained
 * {@code original [r, hidden]} right of its diagonal, τᵢ = 2 / ‖vᵢ‖², and D that diagonal, -1 and never trained.
 *
 * <p>Trained: 2 · r · hidden + r for each unit and layer. B starts as a random orthogonal matrix and {@code original} so that R is its
 * first columns; W and b start as {@code nn.Linear}: a new adapter isn't the identity. Files, in AdapterHub's layout:
 * {@code <layer>.reft_layer.refts.NAME.units.{0,1}.learned_source.{weight,bias}}, {@code .projection.parametrizations.weight.original},
 * {@code .projection.parametrizations.weight.0.base}. Doesn't merge. Use it where very few numbers may be trained and prompts are short and
 * alike.
 *
 * <p>With a cache the text is what was given first: later calls edit only positions that are still among the first ones, so that generation
 * equals passes without a cache in which the last positions are those of the prompt. Training on whole texts edits the ends of the answers
 * instead, so {@code suffix_positions} fit classification better than generation.
 *
 * @param r how many directions are edited
 * @param first how many positions at the start
 * @param last how many positions at the end
 * @param tied whether both share one unit
 * @param layers only layers with these indices; null for all
 * @param dropout probability that a value of an edited state is dropped in training
 */
public record LoReft(
        int r, int first, int last, boolean tied, @Nullable List<Integer> layers, double dropout) implements Method {
    /** Four directions at the first four positions after every layer. */
    public static final LoReft DEFAULT = new LoReft(4, 4, 0, false, null, 0.05);

    public LoReft {
        layers = layers == null ? null : List.copyOf(layers);
        if (r < 1) {
            throw new InputException("r is " + r + ", expected at least 1");
        }
        if (first < 0 || last < 0 || first + last == 0) {
            throw new InputException("prefix_positions is " + first + " and suffix_positions is " + last
                    + ", expected 0 or more and one of them above 0");
        }
        if (!(dropout >= 0 && dropout < 1)) {
            throw new InputException("dropout is " + dropout + ", expected 0 or more and less than 1");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        int hidden = g.base().backbone().hiddenSize();
        if (r >= hidden) {
            throw new InputException("r is " + r + ", expected less than the hidden size " + hidden);
        }
        if (layers != null) {
            for (int layer : layers) {
                if (layer < 0 || layer >= g.base().backbone().layers()) {
                    throw new InputException("layers has " + layer + ", but "
                            + g.base().name() + " has " + g.base().backbone().layers());
                }
            }
        }
        for (Site site : g.base().sites()) {
            if (site instanceof Layer layer && (layers == null || layers.contains(layer.layer()))) {
                Unit start = unit(g, layer, 0);
                Unit end = tied ? start : unit(g, layer, 1);
                g.add(layer, new Edit(start, end, first, last, dropout));
            }
        }
    }

    private Unit unit(Grafter g, Layer layer, int index) {
        String at = layer.name() + ".reft_layer.refts.*.units." + index + ".";
        long hidden = layer.hidden();
        Tensor w = g.parameter(at + "learned_source.weight", Initial.KAIMING, r, hidden);
        Tensor b = g.parameter(at + "learned_source.bias", Initial.uniform(1 / Math.sqrt(hidden)), r);
        String original = at + "projection.parametrizations.weight.original";
        Tensor v = g.parameter(original, (rng, shape) -> identity(r, hidden).neg(), r, hidden);
        Tensor basis = g.frozen(
                layer,
                "reft_layer.refts.*.units." + index + ".projection.parametrizations.weight.0.base",
                (rng, shape) ->
                        torch.linalg_qr(rng.normal(0, 1, hidden, hidden)).get0(),
                hidden,
                hidden);
        if (!v.detach().diagonal().abs().eq(new Scalar(1)).all().item_bool()) {
            throw new InputException(original + " has values on its diagonal that are not 1 or -1, so AdapterHub would"
                    + " take a part of this projection as zero; it was trained with weight decay on it");
        }
        // Weight decay moves the diagonal, whose sign alone counts here; torch cuts its fraction off.
        g.export(
                original,
                () -> v.triu(1)
                        .add(Ops.to(identity(r, hidden), v.scalar_type())
                                .mul(v.diagonal().sign().unsqueeze(1))));
        return new Unit(w, b, v, basis);
    }

    private static Tensor identity(long rows, long columns) {
        return Tensors.ones(torch.ScalarType.Float, rows, columns).tril().triu();
    }

    /**
     * @param w {@code [r, hidden]}
     * @param b {@code [r]}
     * @param v {@code [r, hidden]}
     * @param basis {@code [hidden, hidden]}
     */
    private record Unit(Tensor w, Tensor b, Tensor v, Tensor basis) {
        /** R {@code [r, hidden]}. */
        Tensor rotation() {
            Tensor reflectors = v.t().tril(-1);
            Tensor tau = Ops.plus(Ops.sum(reflectors.mul(reflectors), 0, false), 1)
                    .reciprocal()
                    .mul(new Scalar(2));
            Tensor q = torch.linalg_householder_product(reflectors, tau);
            return basis.matmul(q.mul(v.detach().diagonal().sign())).t();
        }

        Tensor edit(Tensor h) {
            Tensor rotation = rotation();
            Tensor change = Ops.linear(h, w, b).sub(Ops.linear(h, rotation, null));
            return h.add(change.matmul(rotation));
        }
    }

    private record Edit(Unit start, Unit end, int first, int last, double dropout) implements Effect.Intervene {
        @Override
        public Tensor apply(Tensor hidden, Tensor mask, @Nullable Tensor earlier, Pass pass) {
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

        private Tensor where(Tensor chosen, Unit unit, Tensor from, Tensor otherwise, Pass pass) {
            if (!chosen.any().item_bool()) {
                return otherwise;
            }
            Tensor edited = Ops.dropout(unit.edit(from), dropout, pass.isTraining());
            return torch.where(chosen.unsqueeze(-1), edited, otherwise);
        }
    }

    @Override
    public void write(ObjectNode c, Base base) {
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
        c.put("orthogonality", true);
        c.put("output_reft", true);
        c.putNull("non_linearity");
        c.putNull("dtype");
        c.putNull("init_weights_seed");
    }

    /** Registers {@code loreft}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "loreft";
        }

        @Override
        public String summary() {
            return "edits hidden states at the first and last positions in a few trained directions";
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
            return "reft";
        }

        @Override
        public boolean reads(Fields config) {
            JsonNode architecture = config.node("architecture");
            return architecture != null
                    && architecture.isString()
                    && architecture.stringValue().equals("reft");
        }

        @Override
        public Method read(Fields f, Base base) {
            f.informational("init_weights_seed", "dtype", "architecture");
            if (!f.bool("orthogonality")) {
                throw f.wrong("orthogonality", "true: NoReFT and DiReFT are not supported");
            }
            if (!f.bool("subtract_projection", true)) {
                throw f.wrong("subtract_projection", "true: DiReFT is not supported");
            }
            if (!f.bool("output_reft", true)) {
                throw f.wrong("output_reft", "true: edits elsewhere than behind a layer are not supported");
            }
            if (f.stringOrNull("non_linearity") != null) {
                throw f.wrong("non_linearity", "null");
            }
            return new LoReft(
                    f.integer("r", 1, 1),
                    f.integer("prefix_positions", 3, 0),
                    f.integer("suffix_positions", 0, 0),
                    f.bool("tied_weights", false),
                    layers(f),
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
                throw f.wrong("layers", "\"all\" or a list of different layers");
            }
            return layers;
        }
    }
}
