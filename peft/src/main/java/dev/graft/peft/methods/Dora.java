package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * DoRA (Liu et al., 2024): direction and magnitude apart, {@code W' = m ⊙ (W + s · B A) / ‖W + s · B A‖}, the norm taken over each row
 * of {@code [out, in]} (each column of an embedding) and held constant in the gradient (section 4.3). m starts as ‖W‖, so a new adapter
 * changes nothing.
 *
 * <p>Trained: LoRA's r · (in + out) and out more. Files: LoRA's, and {@code <module>.lora_magnitude_vector [out]}. Merges: W'.
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
    public Effect at(Grafter g, Linear site) {
        if (config.loraBias()) {
            throw new InputException("lora_bias is true, which DoRA doesn't have");
        }
        LowRank update = LowRank.of(g, site, config);
        Tensor m = g.parameter(site, MAGNITUDE, (rng, shape) -> norms(site.weight(), update, 1), site.out());
        return new Weighted(update, m, site.weight(), 1, config.dropout());
    }

    @Override
    public Effect at(Grafter g, Embedding site) {
        LowRank update = LowRank.of(g, site, config);
        Tensor m = g.parameter(site, MAGNITUDE, (rng, shape) -> norms(site.weight(), update, 0), site.hidden());
        return new Weighted(update, m, site.weight(), 0, 0);
    }

    private static final String MAGNITUDE = "lora_magnitude_vector";

    private static Tensor norms(Tensor weight, LowRank update, int dim) {
        try (NoGrad off = new NoGrad()) {
            return norm(update.weight().add(weight), dim);
        }
    }

    private static Tensor norm(Tensor weight, int dim) {
        return Ops.norm(weight, dim, false);
    }

    /**
     * The effect on one layer. On top of other adapters the norm stays that of the frozen weight with this update, as in PEFT.
     *
     * @param frozen the base's weight
     * @param dim the dimension over which the norm is taken
     */
    private record Weighted(LowRank update, Tensor magnitude, Tensor frozen, int dim, double dropout)
            implements Effect.Reweight {
        @Override
        public Tensor weight(Tensor weight) {
            Tensor direction = update.weight().add(weight);
            Tensor factor = magnitude.div(norms(frozen, update, dim));
            return direction.mul(dim == 1 ? factor.unsqueeze(1) : factor);
        }

        @Override
        public Tensor apply(Affine inner, Tensor x, Pass pass) {
            Tensor factor = Ops.to(
                    magnitude.div(norms(frozen, update, dim)), inner.weight().scalar_type());
            Tensor y = inner.apply(x, pass);
            if (dim == 0) {
                return y.add(Ops.to(update.apply(x, pass), y.scalar_type())).mul(factor);
            }
            Tensor bias = inner.bias();
            boolean drops = pass.isTraining() && dropout > 0;
            if (drops) {
                // With dropout PEFT scales the base's answer for the dropped input and leaves the whole one as it is.
                Tensor dropped = Ops.dropout(x, dropout, true);
                Tensor again = Ops.linear(Ops.to(dropped, inner.weight().scalar_type()), inner.weight(), null);
                Tensor path = update.withoutDropout().apply(dropped, pass);
                return y.add(again.mul(Ops.plus(factor, -1))).add(path.mul(factor));
            }
            Tensor plain = bias == null ? y : y.sub(bias);
            Tensor scaled = plain.add(update.apply(x, pass)).mul(factor);
            return bias == null ? scaled : scaled.add(bias);
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
            super("dora", "use_dora");
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
