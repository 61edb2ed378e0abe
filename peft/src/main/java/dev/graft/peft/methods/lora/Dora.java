package dev.graft.peft.methods.lora;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Projection;
import dev.graft.peft.CachedValue;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.inits.Loftq;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.ops.Dropout;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * DoRA (Liu et al., 2024): separate direction and magnitude, {@code W' = m ⊙ (W + s · B A) / ‖W + s · B A‖}, the norm taken over each row of
 * {@code [out, in]} (each column of an embedding, each kernel of a convolution) and treated as constant in the gradient (section 4.3). m starts
 * as ‖W‖, so a new adapter changes nothing.
 *
 * <p>Trained: LoRA's r · (in + out) and out more. Files: LoRA's, and {@code <module>.lora_magnitude_vector [out]} ({@code [1, out, 1...]} on a
 * convolution). Merges: W', but not on a convolution in groups.
 */
public record Dora(LoraConfig config) implements LoraVariant {
    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public Dora with(LoraConfig newConfig) {
        return new Dora(newConfig);
    }

    @Override
    public Effect effectAt(Grafter g, Linear site) {
        if (config.loraBias()) {
            throw new InputException("lora_bias is true, which DoRA doesn't have");
        }
        if (config.init() instanceof Loftq && !site.isQuantized()) {
            throw new InputException(
                    "init_lora_weights is loftq, which changes a whole base's weights, of which DoRA takes"
                            + " the norms; load the base with quantization nf4, fp4 or int8");
        }
        LowRank update = LowRank.of(g, site, config);
        Tensor m = g.parameter(site, MAGNITUDE, (rng, shape) -> norms(site.weight(), update), site.out());
        return Weighted.of(g, update, m, site, config.dropout());
    }

    @Override
    public Effect effectAt(Grafter g, Convolution site) {
        if (config.loraBias()) {
            throw new InputException("lora_bias is true, which DoRA doesn't have");
        }
        LowRank update = LowRank.of(g, site, config);
        Tensor m = g.parameter(
                site,
                MAGNITUDE,
                (rng, shape) -> norms(site.weight(), update).reshape(shape),
                site.shape(1, site.out()));
        return Weighted.of(g, update, m, site, config.dropout());
    }

    @Override
    public Effect effectAt(Grafter g, Embedding site) {
        LowRank update = LowRank.of(g, site, config);
        Tensor m = g.parameter(site, MAGNITUDE, (rng, shape) -> columnNorms(site.weight(), update), site.hidden());
        return new WeightedTable(update, g.cached(() -> m.div(columnNorms(site.weight(), update))));
    }

    private static final String MAGNITUDE = "lora_magnitude_vector";

    /** {@code ‖W + s · B A‖} of each output, {@code [out]}. */
    private static Tensor norms(Tensor weight, LowRank update) {
        try (NoGrad noGrad = new NoGrad()) {
            return Ops.norm(update.product().add(weight).flatten(1, -1), 1, false);
        }
    }

    private static Tensor columnNorms(Tensor table, LowRank update) {
        try (NoGrad noGrad = new NoGrad()) {
            return Ops.norm(update.product().add(table), 0, false);
        }
    }

    /**
     * The effect on one layer. On top of other adapters the norm stays that of the frozen weight with this update, as in PEFT.
     *
     * @param factor {@code m / ‖W + s · B A‖}, {@code [out]}
     */
    private record Weighted(LowRank update, CachedValue factor, Projection frozen, double dropout)
            implements Effect.Reweight {
        static Weighted of(Grafter g, LowRank update, Tensor m, Projection frozen, double dropout) {
            CachedValue factor = g.cached(() -> m.reshape(-1).div(norms(frozen.weight(), update)));
            return new Weighted(update, factor, frozen, dropout);
        }

        @Override
        public Tensor weight(Tensor weight) {
            Tensor change = update.weight();
            if (change == null) {
                throw new InputException(frozen.name()
                        + ": a DoRA on a convolution in groups can't be merged; use the adapter beside the base");
            }
            return change.add(weight).mul(frozen.onRows(factor.value()));
        }

        @Override
        public Tensor apply(Affine inner, Tensor x, PassView pass) {
            Tensor y = inner.apply(x, pass);
            Tensor factor = frozen.onFeatures(Ops.to(this.factor.value(), y.scalar_type()));
            boolean drops = pass.isTraining() && dropout > 0;
            if (drops) {
                // With dropout PEFT scales the base's answer for the dropped input and leaves the whole one as it is.
                Tensor dropped = Dropout.apply(x, dropout, true);
                Tensor again = frozen.apply(dropped, inner.weight(), null);
                Tensor path = update.withoutDropout().apply(dropped, pass);
                return y.add(again.mul(Ops.plus(factor, -1))).add(path.mul(factor));
            }
            Tensor bias = inner.bias() == null ? null : frozen.onFeatures(inner.bias());
            Tensor plain = bias == null ? y : y.sub(bias);
            Tensor scaled = plain.add(update.apply(x, pass)).mul(factor);
            return bias == null ? scaled : scaled.add(bias);
        }
    }

    /** The effect on one embedding. */
    private record WeightedTable(LowRank update, CachedValue factor) implements Effect.Reweight {
        @Override
        public Tensor weight(Tensor weight) {
            return update.product().add(weight).mul(factor.value());
        }

        @Override
        public Tensor apply(Affine inner, Tensor ids, PassView pass) {
            Tensor y = inner.apply(ids, pass);
            Tensor factor = Ops.to(this.factor.value(), y.scalar_type());
            return y.add(Ops.to(update.apply(ids, pass), y.scalar_type())).mul(factor);
        }
    }

    @Override
    public void writeOwn(ObjectNode json) {
        json.put("use_dora", true);
    }

    /** Registers {@code dora}. */
    public static final class Kind extends LoraVariant.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super("dora", LoraMark.flag("use_dora"));
        }

        @Override
        public String summary() {
            return "LoRA on the direction of a weight, and its magnitude trained apart";
        }

        @Override
        public Method defaults() {
            return new Dora(LoraConfig.DEFAULT);
        }

        @Override
        protected LoraVariant read(LoraConfig shared, Fields config, Base base) {
            config.bool("use_dora", true);
            return new Dora(shared);
        }
    }
}
