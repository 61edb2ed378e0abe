package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.internal.TokenRows;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * DoRA (Liu et al., 2024): direction and magnitude apart, {@code W' = m ⊙ (W + s · B A) / ‖W + s · B A‖}, the norm taken over each row
 * of {@code [out, in]} (each column of an embedding) and held constant in the gradient (section 4.3). m starts as ‖W‖, so a new adapter
 * changes nothing.
 *
 * <p>Trained: LoRA's r · (in + out) and out more. Files: LoRA's, and {@code <module>.lora_magnitude_vector [out]}. Merges: W'.
 */
public record Dora(LoraConfig config) implements Method {
    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Site> targets = g.targets(config.targets());
        for (Site site : targets) {
            if (site instanceof Linear linear) {
                LowRank update = LowRank.of(g, linear, config);
                Tensor m = g.parameter(
                        site, "lora_magnitude_vector", (rng, shape) -> norms(linear.weight(), update, 1), linear.out());
                g.add(linear, new Weighted(update, m, linear.weight(), 1, config.dropout()));
            } else if (site instanceof Embedding embedding) {
                LowRank update = LowRank.of(g, embedding, config);
                Tensor m = g.parameter(
                        site,
                        "lora_magnitude_vector",
                        (rng, shape) -> norms(embedding.weight(), update, 0),
                        embedding.hidden());
                g.add(embedding, new Weighted(update, m, embedding.weight(), 0, 0));
            }
        }
        config.bias().graft(g, targets);
        TokenRows.graft(g, config.tokens());
    }

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
    public void write(ObjectNode json, Base base) {
        config.write(json, true);
    }

    /** Registers {@code dora}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "dora";
        }

        @Override
        public String summary() {
            return "LoRA on the direction of a weight, and its magnitude trained apart";
        }

        @Override
        public Layout layout() {
            return Layout.PEFT;
        }

        @Override
        public Capabilities capabilities() {
            return new Capabilities(true, true, true, true);
        }

        @Override
        public Method defaults() {
            return new Dora(LoraConfig.DEFAULT);
        }

        @Override
        public String peftType() {
            return "LORA";
        }

        @Override
        public List<String> required() {
            return List.of("r", "lora_alpha");
        }

        @Override
        public boolean reads(Fields config) {
            return config.bool("use_dora", false);
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("use_dora", true);
            return new Dora(LoraConfig.read(config));
        }
    }
}
