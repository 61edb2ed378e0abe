package dev.graft.peft.methods.lora;

import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Projection;
import dev.graft.peft.Effect;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import dev.graft.tensor.ops.Products;
import dev.graft.tensor.ops.Tape;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A low-rank update with a factor for each of its ranks, {@code f(x) = s · B (g ⊙ (A x))}: AdaLoRA's singular values, SoRA's gate.
 *
 * @param site its layer; on a convolution A reads the patch of a kernel, {@code [r, in · kernel]}
 * @param a {@code [r, in]}
 * @param b {@code [out, r]}
 * @param gate g, r values in any shape
 */
public record GatedLowRank(Projection site, Tensor a, Tensor b, Tensor gate, double scaling, double dropout)
        implements Effect.Delta {
    @Override
    public Tensor apply(Tensor x, PassView pass) {
        ScalarType type = x.scalar_type();
        Tensor input = Dropout.apply(x, dropout, pass.isTraining());
        if (site instanceof Convolution) {
            return site.apply(input, Ops.to(weight(), type), null);
        }
        Tensor inner = Ops.linear(input, Ops.to(a, type), null);
        return Ops.linear(inner.mul(factors(type)), Ops.to(b, type), null);
    }

    private Tensor factors(ScalarType type) {
        return Ops.to(Ops.scale(gate.view(-1), scaling), type);
    }

    @Override
    public Tensor weight() {
        return Ops.scale(b.matmul(a.mul(gate.view(-1, 1))), scaling).view(Tensors.shape(site.weight()));
    }

    /**
     * The gradient: with u = A x and z = s · g ⊙ u, {@code dB = dyᵀ z}, {@code dg = s · Σ (dy B) ⊙ u}, {@code du = s · g ⊙ (dy B)},
     * {@code dA = duᵀ x}, {@code dx += du A}.
     */
    @Override
    public Effect.@Nullable ManualGradientDelta manualGradient() {
        return dropout == 0 && site instanceof Linear ? new Formula(this) : null;
    }

    private record Formula(GatedLowRank of) implements Effect.ManualGradientDelta {
        @Override
        public List<Tensor> forward(Tensor x, @Nullable Tensor sum) {
            ScalarType type = x.scalar_type();
            Tensor u = Products.product(x, Ops.to(of.a, type).t());
            Tensor z = u.mul(of.factors(type));
            Tensor up = Ops.to(of.b, type).t();
            return List.of(Products.product(z, up, null, sum), u);
        }

        @Override
        public int kept() {
            return 1;
        }

        @Override
        public void backward(Tensor x, Tensor gradient, List<Tensor> kept, @Nullable Tensor dx) {
            ScalarType type = x.scalar_type();
            Tensor u = kept.get(0);
            Tensor factors = of.factors(type);
            Tape.accumulateProduct(of.b, gradient.t(), u.mul(factors));
            Tensor dz = Products.product(gradient, Ops.to(of.b, type));
            Tensor dg = Ops.sum(dz.mul(u), 0, false).mul_(new Scalar(of.scaling));
            Tape.accumulate(of.gate, dg.view(of.gate.sizes()));
            Tensor du = dz.mul_(factors);
            Tape.accumulateProduct(of.a, du.t(), x);
            if (dx != null) {
                Products.product(du, Ops.to(of.a, type), null, dx);
            }
        }
    }
}
