package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.models.sites.Site;
import dev.graft.peft.Grafter;
import dev.graft.peft.internal.Biases;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/** Which of the base's biases are trained beside a method: PEFT's {@code bias}. */
public enum Bias {
    NONE,
    ALL,
    /** Those of the layers that the method acts on: {@code lora_only} and its like. */
    TARGETS;

    /** Reads the field; the name of {@link #TARGETS} is each method's own. */
    static Bias read(Fields config, String targetsOnly) {
        String name = config.choice("bias", "none", "none", "all", targetsOnly);
        return name.equals("none") ? NONE : name.equals("all") ? ALL : TARGETS;
    }

    void write(ObjectNode config, String targetsOnly) {
        config.put("bias", this == TARGETS ? targetsOnly : this == ALL ? "all" : "none");
    }

    void graft(Grafter g, List<? extends Site> targets) {
        Biases.graft(g, this == ALL, this == TARGETS, targets);
    }
}
