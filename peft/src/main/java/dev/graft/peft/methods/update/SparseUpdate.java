package dev.graft.peft.methods.update;

import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;

/**
 * An update that is zero except for a few entries.
 *
 * @param values {@code [n]}
 */
record SparseUpdate(Tensor values, SparseIndices sparse) implements Effect.Delta {
    @Override
    public Tensor apply(Tensor x, PassView pass) {
        return Ops.linear(x, Ops.to(weight(), x.scalar_type()), null);
    }

    @Override
    public Tensor weight() {
        return sparse.scatter(values);
    }
}
