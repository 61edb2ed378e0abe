package dev.graft.peft;

import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Rows of a batch with the same adapters.
 *
 * @param rows their indices, int64; null for all rows
 * @param count the number of rows; 0 for all
 */
record RowGroup(AdapterStack stack, @Nullable Tensor rows, int count) {
    static RowGroup of(AdapterStack stack, long[] indices) {
        try (Scope scope = new Scope()) {
            return new RowGroup(stack, scope.release(Tensors.of(indices, indices.length)), indices.length);
        }
    }

    Tensor of(Tensor batch) {
        return rows == null ? batch : batch.index_select(0, rows);
    }

    Tensor scatterInto(Tensor batch, Tensor changed) {
        return rows == null ? changed : batch.index_copy(0, rows, Ops.to(changed, batch.scalar_type()));
    }

    /**
     * Returns the updates to add to a linear layer's output for their rows of x {@code [batch, ..., in]}. Null if they have no effect or an
     * effect of another kind.
     */
    @Nullable
    Tensor added(Linear site, Tensor x, PassView pass) {
        if (!stack.onlyAdds(site) || !stack.actsOn(site)) {
            return null;
        }
        Tensor part = Ops.to(of(x), site.type());
        PassView rowPass = rows == null ? pass : pass.of(rows);
        Tensor sum = null;
        for (ActiveAdapter active : stack.adapters()) {
            for (Effect effect : active.effects(site)) {
                Tensor change = Ops.to(((Effect.Delta) effect).apply(part, rowPass), site.type());
                Tensor scaled = active.strength() == 1 ? change : Ops.scale(change, active.strength());
                sum = sum == null ? scaled : sum.add(scaled);
            }
        }
        return sum;
    }

    long size(long batch) {
        return rows == null ? batch : count;
    }

    long[] indices(long batch) {
        return rows == null ? Tensors.longs(Tensors.arange(batch)) : Tensors.longs(rows);
    }

    /** Returns a part with zeros before it along a dimension. */
    static Tensor padded(Tensor part, long skipped, long dim) {
        if (skipped == 0) {
            return part;
        }
        long[] shape = Tensors.shape(part);
        shape[(int) dim] = skipped;
        return Ops.cat(dim, Tensors.zeros(part.scalar_type(), shape), part);
    }
}
