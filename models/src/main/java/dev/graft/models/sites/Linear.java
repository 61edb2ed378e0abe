package dev.graft.models.sites;

import dev.graft.models.Pass;
import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A frozen linear layer.
 *
 * @param weight {@code [out, in]}
 * @param bias {@code [out]} or null
 */
public record Linear(
        String name,
        Role role,
        int layer,
        Tensor weight,
        @Nullable Tensor bias) implements Site, Affine {
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
}
