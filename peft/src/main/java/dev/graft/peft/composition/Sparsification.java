package dev.graft.peft.composition;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The choice of an update's entries that are kept before updates are combined. Updates are fp64 matrices with a row for
 * each output.
 */
enum Sparsification {
    /** Keeps all entries. */
    NONE {
        @Override
        Tensor apply(Tensor update, CombinationSettings settings, MaskSampler sampler, String module, int adapter) {
            return update;
        }
    },

    /**
     * Keeps the largest ⌊density · n⌋ of a matrix's n entries, by absolute value: TIES (Yadav et al., 2023), "trim".
     */
    MAGNITUDE {
        @Override
        Tensor apply(Tensor update, CombinationSettings settings, MaskSampler sampler, String module, int adapter) {
            return window(update, settings.density(), 0);
        }
    },

    /**
     * Keeps each entry with probability p = density, divided by p: DARE (Yu et al., 2023). Their expectation is the
     * update.
     */
    RANDOM {
        @Override
        Tensor apply(Tensor update, CombinationSettings settings, MaskSampler sampler, String module, int adapter) {
            return kept(update, torch.full_like(update, new Scalar(settings.density())), sampler, module, adapter);
        }
    },

    /**
     * Keeps each entry with a probability p, divided by p. It rises linearly from density - ε for the smallest entry of
     * a row to density + ε for its largest: MagPrune of DELLA (Deep et al., 2024).
     */
    RANKED {
        @Override
        Tensor apply(Tensor update, CombinationSettings settings, MaskSampler sampler, String module, int adapter) {
            long width = update.size(1);
            Tensor rank = Ops.to(update.abs().argsort(1, false).argsort(1, false), update.scalar_type());
            double step = width == 1 ? 0 : 2 * settings.epsilon() / (width - 1);
            double least = width == 1 ? settings.density() : settings.density() - settings.epsilon();
            return kept(update, Ops.plus(Ops.scale(rank, step), least), sampler, module, adapter);
        }
    },

    /**
     * Keeps the largest ⌊density · n⌋ entries below the ⌊γ · n⌋ largest ones: Model Breadcrumbs (Davari and Belilovsky, 2023).
     */
    OUTLIERS {
        @Override
        Tensor apply(Tensor update, CombinationSettings settings, MaskSampler sampler, String module, int adapter) {
            return window(update, settings.density(), (long) (settings.gamma() * update.numel()));
        }
    };

    abstract Tensor apply(Tensor update, CombinationSettings settings, MaskSampler sampler, String module, int adapter);

    private static Tensor kept(Tensor update, Tensor probabilities, MaskSampler sampler, String module, int adapter) {
        return update.mul(sampler.sample(probabilities, module, adapter)).div(probabilities);
    }

    /** The entries behind the first ones when they are sorted by falling size; at least one. */
    private static Tensor window(Tensor update, double density, long first) {
        long n = update.numel();
        long count = Math.min(Math.max(1, (long) (density * n)), n - first);
        if (count == n) {
            return update;
        }
        Tensor flat = update.reshape(-1);
        Tensor order =
                torch.sort(flat.abs(), new BoolOptional(true), 0, true).get1().narrow(0, first, count);
        Tensor mask = Tensors.zeros(update.scalar_type(), n).index_fill_(0, order, new Scalar(1.0));
        return update.mul(mask.view(Tensors.shape(update)));
    }
}
