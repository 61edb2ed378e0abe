package dev.graft.peft.composition;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;

/** Random masks of the entries that pruning keeps. */
@FunctionalInterface
public interface MaskSampler {
    /**
     * Returns ones for kept entries, else zeros.
     *
     * @param probabilities the probabilities that entries are kept
     * @param module the layer that the update belongs to; with {@code /bias} for its bias
     * @param adapter the index of the adapter
     */
    Tensor sample(Tensor probabilities, String module, int adapter);

    /** Returns masks that depend only on a seed, the module and the index of the adapter. */
    static MaskSampler of(long seed) {
        return (probabilities, module, adapter) -> {
            Tensor drawn = Rng.of(seed, adapter + "/" + module).uniform(0, 1, Tensors.shape(probabilities));
            Tensor exact = Ops.to(drawn, probabilities.scalar_type());
            return Ops.to(exact.lt(probabilities), probabilities.scalar_type());
        };
    }
}
