package dev.graft.models.sites;

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
        boolean transposed) implements Projection, Explicit {
    /** A layer whose weight is {@code [out, in]} in checkpoints too. */
    public Linear(String name, Role role, int layer, Tensor weight, @Nullable Tensor bias) {
        this(name, role, layer, weight, bias, false);
    }

    @Override
    public long in() {
        return weight.size(1);
    }

    @Override
    public long out() {
        return weight.size(0);
    }

    /** Another weight {@code [out, in]} as the checkpoint stores it, or a stored one as it is used. */
    public Tensor stored(Tensor newWeight) {
        return transposed ? newWeight.t() : newWeight;
    }

    @Override
    public Tensor apply(Tensor x, Tensor newWeight, @Nullable Tensor newBias) {
        return Ops.linear(Ops.to(x, newWeight.scalar_type()), newWeight, newBias);
    }

    @Override
    public Tensor onFeatures(Tensor vector) {
        return vector.reshape(-1);
    }

    @Override
    public Tensor onRows(Tensor vector) {
        return vector.reshape(-1, 1);
    }

    @Override
    public Tensor onColumns(Tensor vector) {
        return vector.reshape(-1);
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
