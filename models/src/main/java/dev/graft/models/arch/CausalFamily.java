package dev.graft.models.arch;

import dev.graft.models.Architecture;
import dev.graft.models.Task;
import java.util.Set;

/** A family of decoders with the heads of {@link CausalHeads}. */
abstract class CausalFamily implements Architecture {
    private final String modelType;
    private final String stem;
    private final String prefix;

    CausalFamily(String modelType, String stem, String prefix) {
        this.modelType = modelType;
        this.stem = stem;
        this.prefix = prefix;
    }

    @Override
    public String modelType() {
        return modelType;
    }

    @Override
    public String stem() {
        return stem;
    }

    @Override
    public String prefix() {
        return prefix;
    }

    @Override
    public Set<Task> tasks() {
        return CausalHeads.TASKS;
    }

    /** What stands before the names of the backbone for a head. */
    String before(HeadSpec spec) {
        return spec.task() == Task.FEATURE_EXTRACTION ? "" : prefix(spec.task());
    }
}
