package dev.graft.peft;

import dev.graft.formats.Fields;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Site;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/** The biases of the base that are trained beside a method: PEFT's {@code bias}. */
public enum Bias {
    NONE,
    ALL,
    /** The biases of the adapted layers: {@code lora_only} and similar values. */
    TARGETS;

    /** Reads the field; methods have different names for {@link #TARGETS}. */
    public static Bias read(Fields config, String targetsOnly) {
        String name = config.choice("bias", "none", "none", "all", targetsOnly);
        return name.equals("none") ? NONE : name.equals("all") ? ALL : TARGETS;
    }

    /** Writes the field. */
    public void write(ObjectNode config, String targetsOnly) {
        config.put("bias", this == TARGETS ? targetsOnly : this == ALL ? "all" : "none");
    }

    /**
     * Declares the trained biases.
     *
     * @param targets the layers that the method adapts
     */
    public void graft(Grafter g, List<? extends Site> targets) {
        List<? extends Site> sites = this == ALL ? g.base().sites() : this == TARGETS ? targets : List.of();
        for (Site site : sites) {
            Tensor bias =
                    site instanceof Projection layer ? layer.bias() : site instanceof Norm norm ? norm.bias() : null;
            if (bias != null && !g.isSavedWhole(site)) {
                String key = targets.contains(site)
                        ? site.name() + ".base_layer.bias"
                        : g.base().nameOf(bias);
                g.add(site, new Effect.Replace(null, g.parameter(key, Initializer.copy(bias), bias.size(0))));
            }
        }
    }
}
