package dev.graft.models.arch;

import dev.graft.models.Task;
import java.util.Set;

/** A family of decoders with the heads of {@link CausalHeads}. */
abstract class CausalFamily extends NamedFamily {
    CausalFamily(String modelType, String stem, String prefix) {
        super(modelType, stem, prefix);
    }

    @Override
    public Set<Task> tasks() {
        return CausalHeads.TASKS;
    }

    /** Returns the prefix of the names of the backbone for a head. */
    String before(HeadSpec spec) {
        return spec.task() == Task.FEATURE_EXTRACTION ? "" : prefix(spec.task());
    }
}
