package dev.graft.peft.internal;

import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Training the base's own biases beside a method: PEFT's {@code bias} option. */
public final class Biases {
    private Biases() {}

    /** Trains all biases, or those of the targeted layers. */
    public static void graft(Grafter g, boolean all, boolean targetsOnly, List<? extends Site> targets) {
        for (Site site : all ? g.base().sites() : targetsOnly ? List.<Site>copyOf(targets) : List.<Site>of()) {
            Tensor bias =
                    site instanceof Projection layer ? layer.bias() : site instanceof Norm norm ? norm.bias() : null;
            if (bias != null && !g.isSavedWhole(site)) {
                String key = targets.contains(site)
                        ? site.name() + ".base_layer.bias"
                        : g.base().nameOf(bias);
                g.add(site, new Effect.Replace(null, g.parameter(key, Initial.copy(bias), bias.size(0))));
            }
        }
    }
}
