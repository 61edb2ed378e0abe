package dev.graft.peft;

import dev.graft.models.Auxiliary;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What an adapter works out of a reading of a batch before the pass in which it acts: by the frozen model, or by a network of its own. Its
 * effects find the result by {@link dev.graft.models.Context#noted}.
 */
@FunctionalInterface
public interface Preview {
    /**
     * Works it out.
     *
     * @param hidden the last hidden states of what has read the batch, {@code [batch, seq, hidden]}
     * @param pass that the adapter acts in
     * @return a row for each of the batch, {@code [batch, ...]}
     */
    Tensor of(Tensor hidden, Pass pass);

    /** The network that reads; null for the model without any adapter. */
    default @Nullable Network reader() {
        return null;
    }

    /**
     * What a loss counts of the result too; null for nothing.
     *
     * @param result of {@link #of}
     */
    default @Nullable Auxiliary auxiliary(Tensor result, Inputs in) {
        return null;
    }
}
