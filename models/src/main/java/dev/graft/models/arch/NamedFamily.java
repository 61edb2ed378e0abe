package dev.graft.models.arch;

import dev.graft.models.Architecture;

/** A family by its names. */
abstract class NamedFamily implements Architecture {
    private final String modelType;
    private final String stem;
    private final String prefix;

    NamedFamily(String modelType, String stem, String prefix) {
        this.modelType = modelType;
        this.stem = stem;
        this.prefix = prefix;
    }

    @Override
    public String modelType() {
        return modelType;
    }

    @Override
    public String classNamePrefix() {
        return stem;
    }

    @Override
    public String prefix() {
        return prefix;
    }
}
