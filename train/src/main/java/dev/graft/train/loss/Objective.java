package dev.graft.train.loss;

import dev.graft.models.Base;
import dev.graft.models.Inputs;
import dev.graft.models.Task;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A loss over batches. Sums and counts are kept apart, so that accumulated small batches give exactly the mean of the large one.
 *
 * <pre>{@code
 * Objective objective = Objective.of(base, 0);
 * Loss loss = objective.backward(Selection.of(adapter).hooks(), batch, batch.lossTerms());
 * }</pre>
 */
public interface Objective {
    /** Runs forward and backward: adds the gradient of {@code sum / divisor} to every trained parameter. */
    Loss backward(Hooks hooks, Batch batch, double divisor);

    /** The loss without gradients or dropout. */
    Loss evaluate(Hooks hooks, Batch batch);

    /** The objective that fits the base's task. */
    static Objective of(Base base, double labelSmoothing) {
        return base.task() == Task.CAUSAL_LM || base.task() == Task.TOKEN_CLS || base.task() == Task.MASKED_LM
                ? new TokenLoss(base, labelSmoothing)
                : new SequenceLoss(base, labelSmoothing);
    }

    /** A batch as a model takes it. */
    static Inputs inputs(Batch batch) {
        long[] types = batch.typeIds();
        return new Inputs(
                Tensors.of(batch.ids(), batch.rows(), batch.width()),
                Tensors.of(batch.attentionMask(), batch.rows(), batch.width()),
                types(types, batch),
                null);
    }

    private static @Nullable Tensor types(long @Nullable [] types, Batch batch) {
        return types == null ? null : Tensors.of(types, batch.rows(), batch.width());
    }
}
