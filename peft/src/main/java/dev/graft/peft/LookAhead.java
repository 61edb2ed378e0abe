package dev.graft.peft;

import dev.graft.models.forward.AuxiliaryOutput;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.PassView;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A value that an adapter computes from a batch before the main pass: by the frozen model, or by a network of its own. Its effects read the
 * result by {@link dev.graft.models.sites.PassView#getState}.
 */
@FunctionalInterface
public interface LookAhead {
    /**
     * Computes the value.
     *
     * @param hidden the last hidden states of the model that has read the batch, {@code [batch, seq, hidden]}
     * @param pass the main pass
     * @return a row for each row of the batch, {@code [batch, ...]}
     */
    Tensor compute(Tensor hidden, PassView pass);

    /** Returns the network that reads the batch; null for the frozen model. */
    default @Nullable SideNetwork network() {
        return null;
    }

    /**
     * Returns an additional output for the loss; null for none.
     *
     * @param result the result of {@link #compute}
     */
    default @Nullable AuxiliaryOutput auxiliary(Tensor result, Inputs in) {
        return null;
    }
}
