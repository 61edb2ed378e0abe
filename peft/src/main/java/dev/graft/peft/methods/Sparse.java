package dev.graft.peft.methods;

import dev.graft.models.Pass;
import dev.graft.peft.Effect;
import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;

/**
 * An update that is zero but for a few entries.
 *
 * @param values {@code [n]}
 */
record Sparse(Tensor values, Places places) implements Effect.Delta {
    @Override
    public Tensor apply(Tensor x, Pass pass) {
        return Ops.linear(x, Ops.to(weight(), x.scalar_type()), null);
    }

    @Override
    public Tensor weight() {
        return places.scatter(values);
    }
}
