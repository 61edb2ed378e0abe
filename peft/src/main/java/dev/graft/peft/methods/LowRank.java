package dev.graft.peft.methods;

import dev.graft.models.Pass;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tape;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The low-rank update that LoRA and its variants share: {@code f(x) = s · B A x}, less {@code s · B₀ A₀ x} where the initialisation took
 * A₀ and B₀ out of the base's weight (PiSSA, OLoRA): the base itself stays as it is.
 *
 * @param a {@code [r, in]}
 * @param b {@code [out, r]}
 * @param bias {@code [out]} or null
 * @param scaling s
 * @param start A₀ and B₀, or null
 * @param table the embedding whose ids it looks up, or null for a linear layer
 */
record LowRank(
        Tensor a,
        Tensor b,
        @Nullable Tensor bias,
        double scaling,
        double dropout,
        @Nullable Start start,
        @Nullable Embedding table)
        implements Effect.Delta {

    /** What A and B start as. */
    record Start(Tensor a, Tensor b) {}

    /** Declares A {@code [r, in]} and B {@code [out, r]} of a linear layer. */
    static LowRank of(Grafter g, Linear site, LoraConfig config) {
        int r = config.rank(site.name());
        double s = config.scaling(site.name());
        Start start = LoraInit.of(config.init(), site.weight(), r, s);
        Tensor a = g.parameter(
                site,
                "lora_A.weight",
                start == null ? LoraInit.a(config.init(), site, r) : Initial.copy(start.a),
                r,
                site.in());
        Tensor b = config.init().name().equals("mica")
                ? g.frozen(site, "lora_B.weight", start == null ? Initial.ZEROS : Initial.copy(start.b), site.out(), r)
                : g.parameter(
                        site,
                        "lora_B.weight",
                        start == null ? LoraInit.b(config.init(), site, r) : Initial.copy(start.b),
                        site.out(),
                        r);
        Tensor bias = config.loraBias() ? g.parameter(site, "lora_B.bias", Initial.ZEROS, site.out()) : null;
        return new LowRank(a, b, bias, s, config.dropout(), config.init().replacesBase() ? start : null, null);
    }

    /** Declares A {@code [r, rows]} and B {@code [hidden, r]} of an embedding; here A starts at zero. */
    static LowRank of(Grafter g, Embedding site, LoraConfig config) {
        int r = config.rank(site.name());
        Tensor a = g.parameter(site, "lora_embedding_A", Initial.ZEROS, r, site.rows());
        Tensor b = g.parameter(site, "lora_embedding_B", Initial.normal(1), site.hidden(), r);
        return new LowRank(a, b, null, config.scaling(site.name()), 0, null, site);
    }

    @Override
    public Tensor apply(Tensor x, Pass pass) {
        if (table != null) {
            return Ops.scale(Ops.linear(Ops.embedding(a.t(), x, table.padding()), b, null), scaling);
        }
        ScalarType type = x.scalar_type();
        Tensor y = path(Ops.dropout(x, dropout, pass.isTraining()), a, b, bias, type);
        return start == null ? y : y.sub(path(x, start.a, start.b, null, type));
    }

    private Tensor path(Tensor x, Tensor down, Tensor up, @Nullable Tensor upBias, ScalarType type) {
        Tensor narrow = Ops.scale(Ops.linear(x, Ops.to(down, type), null), scaling);
        return Ops.linear(narrow, Ops.to(up, type), upBias == null ? null : Ops.to(Ops.scale(upBias, scaling), type));
    }

    @Override
    public Tensor weight() {
        Tensor product = table != null ? a.t().matmul(b.t()) : b.matmul(a);
        if (start != null) {
            product = product.sub(start.b.matmul(start.a));
        }
        return Ops.scale(product, scaling);
    }

    @Override
    public @Nullable Tensor bias() {
        return bias == null ? null : Ops.scale(bias, scaling);
    }

    LowRank withoutDropout() {
        return new LowRank(a, b, bias, scaling, 0, start, table);
    }

    /** Plain LoRA's gradient: with z = s · A x, {@code dB = dyᵀ z}, {@code dz = s · dy B}, {@code dA = dzᵀ x}, {@code dx += dz A}. */
    @Override
    public Effect.@Nullable ExplicitDelta explicit() {
        boolean plain = table == null && start == null && bias == null && dropout == 0;
        return plain ? new Formula(a, b, scaling) : null;
    }

    private record Formula(Tensor a, Tensor b, double scaling) implements Effect.ExplicitDelta {
        @Override
        public List<Tensor> addTo(Tensor y, Tensor x) {
            Tensor z = Ops.linear(x, Ops.to(a, x.scalar_type()), null).mul_(new Scalar(scaling));
            y.addmm_(z, Ops.to(b, x.scalar_type()).t());
            return List.of(z);
        }

        @Override
        public int kept() {
            return 1;
        }

        @Override
        public void backward(Tensor x, Tensor gradient, List<Tensor> kept, @Nullable Tensor dx) {
            if (b.requires_grad()) {
                Tape.accumulate(b, gradient.t().matmul(kept.get(0)));
            }
            Tensor dz = gradient.matmul(Ops.to(b, x.scalar_type())).mul_(new Scalar(scaling));
            if (a.requires_grad()) {
                Tape.accumulate(a, dz.t().matmul(x));
            }
            if (dx != null) {
                dx.addmm_(dz, Ops.to(a, x.scalar_type()));
            }
        }
    }
}
