package dev.graft.peft;

import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Site;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Trained copies of modules that are saved whole beside a method. */
final class SavedModuleCopies {
    private SavedModuleCopies() {}

    /** Declares copies of their parameters. */
    static void graft(Grafter g) {
        for (Site site : g.base().sites()) {
            if (!g.isSavedWhole(site)) {
                continue;
            }
            if (site instanceof Linear linear) {
                replace(g, site, linear.stored(linear.wholeWeight()), linear.bias());
            } else if (site instanceof Convolution convolution) {
                replace(g, site, convolution.weight(), convolution.bias());
            } else if (site instanceof Norm norm) {
                replace(g, site, norm.weight(), norm.bias());
            } else if (site instanceof Embedding embedding) {
                replace(g, site, embedding.weight(), null);
            }
        }
    }

    private static void replace(Grafter g, Site site, Tensor weight, @Nullable Tensor bias) {
        Tensor newWeight = g.parameter(site, "weight", Initializer.copy(weight), Tensors.shape(weight));
        g.add(site, new Effect.Replace(newWeight, bias(g, bias)));
    }

    private static @Nullable Tensor bias(Grafter g, @Nullable Tensor bias) {
        return bias == null ? null : g.parameter(g.base().nameOf(bias), Initializer.copy(bias), bias.size(0));
    }
}
