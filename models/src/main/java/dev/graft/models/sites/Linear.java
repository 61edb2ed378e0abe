package dev.graft.models.sites;

import dev.graft.models.Pass;
import dev.graft.tensor.Ops;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A frozen linear layer.
 *
 * @param weight {@code [out, in]}
 * @param bias {@code [out]} or null
 * @param transposed whether checkpoints hold the weight as {@code [in, out]}, as those of GPT-2 do (PEFT's {@code fan_in_fan_out})
 */
public record Linear(
        String name,
        Role role,
        int layer,
        Tensor weight,
        @Nullable Tensor bias,
        boolean transposed) implements Site, Affine, Explicit {
    /** A layer whose weight is {@code [out, in]} in checkpoints too. */
    public Linear(String name, Role role, int layer, Tensor weight, @Nullable Tensor bias) {
        this(name, role, layer, weight, bias, false);
    }

    /** A weight {@code [out, in]} as checkpoints hold it, or one of a checkpoint as {@code [out, in]}. */
    public Tensor stored(Tensor other) {
        return transposed ? other.t() : other;
    }

    public long in() {
        return weight.size(1);
    }

    public long out() {
        return weight.size(0);
    }

    @Override
    public Tensor apply(Tensor x, Pass pass) {
        return Ops.linear(Ops.to(x, weight.scalar_type()), weight, bias);
    }

    @Override
    public Explicit explicit() {
        return this;
    }

    @Override
    public List<Tensor> forward(Tensor x) {
        return List.of(Ops.linear(x, weight, bias));
    }

    @Override
    public @Nullable Tensor backward(
            Tensor x, Tensor gradient, List<Tensor> kept, boolean wanted, @Nullable Tensor sum) {
        if (!wanted) {
            return null;
        }
        return sum == null ? gradient.matmul(weight) : sum.addmm_(gradient, weight);
    }

    @Override
    public int kept() {
        return 0;
    }

    @Override
    public boolean trains() {
        return false;
    }
}
