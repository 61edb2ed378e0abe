package dev.graft.peft.inits;

import dev.graft.formats.InputException;
import dev.graft.models.matrices.Quantized;
import dev.graft.models.matrices.QuantizedException;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Statistics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Where a low-rank update is made.
 *
 * @param site a linear layer
 * @param rank r
 * @param scaling what B A is multiplied by
 * @param rng random numbers of this place's own
 * @param unquantised gives the weight {@code [out, in]} as it was before it was quantised
 * @param statistics what calibration data shows of the base, or null where none was given
 */
public record Place(
        Linear site,
        int rank,
        double scaling,
        Rng rng,
        Supplier<Tensor> unquantised,
        @Nullable Statistics statistics) {
    /** The frozen weight {@code [out, in]}, in fp32 or wider. */
    Tensor weight() {
        if (site.matrix() instanceof Quantized matrix) {
            throw new QuantizedException("init_lora_weights takes the base's weight apart, but " + site.name()
                    + " is kept in " + matrix.kind() + "; use true, or loftq, which makes good what quantisation lost");
        }
        Tensor weight = site.weight().detach();
        return weight.scalar_type().value == ScalarType.Double.value ? weight : Ops.to(weight, ScalarType.Float);
    }

    /** The weight {@code [out, in]} before anything was quantised, in fp32. */
    Tensor original() {
        return Ops.to(site.isQuantized() ? unquantised.get() : site.weight().detach(), ScalarType.Float);
    }

    /** Refuses a rank that the weight doesn't have, for starts that are parts of it. */
    void requireRank(LoraInit init, long needed) {
        long most = Math.min(site.in(), site.out());
        if (needed > most) {
            throw new InputException("init_lora_weights " + init.name() + " takes " + needed
                    + " singular vectors at rank " + rank + ", but " + site.name() + " [" + site.out() + ", "
                    + site.in() + "] has " + most + "; lower r, or leave the layer out");
        }
    }

    /** What calibration data shows of the base. */
    Statistics data(LoraInit init) {
        if (statistics == null) {
            throw new InputException("init_lora_weights is " + init.name()
                    + ", which looks at data: make the adapter with calibration batches (Adapter.create(base, config,"
                    + " calibration, seed); graft train takes them from the training rows)");
        }
        return statistics;
    }
}
