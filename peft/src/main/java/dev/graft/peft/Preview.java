package dev.graft.peft;

import dev.graft.models.Pass;
import org.bytedeco.pytorch.Tensor;

/**
 * What an adapter works out of the frozen model's reading of a batch before the pass in which it acts. Its effects find the result by
 * {@link Pass#noted}.
 */
@FunctionalInterface
public interface Preview {
    /**
     * Works it out.
     *
     * @param hidden the last hidden states without any adapter, {@code [batch, seq, hidden]}
     * @param pass that the adapter acts in
     * @return a row for each of the batch, {@code [batch, ...]}
     */
    Tensor of(Tensor hidden, Pass pass);
}
