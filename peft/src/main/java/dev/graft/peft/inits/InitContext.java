package dev.graft.peft.inits;

import dev.graft.formats.InputException;
import dev.graft.models.matrices.QuantizedException;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Statistics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The context in which a low-rank update is created.
 *
 * @param site a linear layer
 * @param rank r
 * @param scaling the factor of B A
 * @param rng the random numbers of this site
 * @param unquantised returns the weight {@code [out, in]} before quantisation
 * @param statistics the base's statistics from calibration data, or null without these data
 */
public record InitContext(
        Linear site,
        int rank,
        double scaling,
        Rng rng,
        Supplier<Tensor> unquantised,
        @Nullable Statistics statistics) {
    /** The frozen weight {@code [out, in]}, in fp32 or wider. */
    Tensor weight() {
        if (site.matrix() instanceof QuantizedMatrix matrix) {
            throw new QuantizedException("init_lora_weights takes the base's weight apart, but " + site.name()
                    + " is kept in " + matrix.kind() + "; use true, or loftq, which makes good what quantisation lost");
        }
        Tensor weight = site.weight().detach();
        return weight.scalar_type().value == ScalarType.Double.value ? weight : Ops.to(weight, ScalarType.Float);
    }

    /** The weight {@code [out, in]} before quantisation, in fp32. */
    Tensor original() {
        return Ops.to(site.isQuantized() ? unquantised.get() : site.weight().detach(), ScalarType.Float);
    }

    /**
     * Refuses a rank larger than the weight's, for initialisations from parts of it.
     *
     * @throws InputException if the rank is too large
     */
    void requireRank(String init, long needed) {
        long most = Math.min(site.in(), site.out());
        if (needed > most) {
            throw new InputException("init_lora_weights " + init + " takes " + needed
                    + " singular vectors at rank " + rank + ", but " + site.name() + " [" + site.out() + ", "
                    + site.in() + "] has " + most + "; lower r, or leave the layer out");
        }
    }

    /**
     * Returns the base's statistics from calibration data.
     *
     * @throws InputException if there are none
     */
    Statistics requireStatistics(String init) {
        if (statistics == null) {
            throw new InputException("init_lora_weights is " + init
                    + ", which looks at data: make the adapter with calibration batches (Adapter.create(base, config,"
                    + " calibration, seed); graft train takes them from the training rows)");
        }
        return statistics;
    }
}
