package dev.graft.peft.composition;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;

/** Draws which entries random pruning keeps. */
@FunctionalInterface
public interface Coins {
    /**
     * Ones for the entries that are kept, else zeros.
     *
     * @param probabilities that an entry is kept
     * @param module the layer that the update belongs to; with {@code /bias} for its bias
     * @param adapter the number of the adapter
     */
    Tensor keep(Tensor probabilities, String module, int adapter);

    /** Draws that depend on a seed, the module and the number of the adapter alone. */
    static Coins of(long seed) {
        return (probabilities, module, adapter) -> {
            Tensor drawn = Rng.of(seed, adapter + "/" + module).uniform(0, 1, Tensors.shape(probabilities));
            Tensor exact = Ops.to(drawn, probabilities.scalar_type());
            return Ops.to(exact.lt(probabilities), probabilities.scalar_type());
        };
    }
}
