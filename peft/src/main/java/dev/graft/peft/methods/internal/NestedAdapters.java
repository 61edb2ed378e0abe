package dev.graft.peft.methods.internal;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.BaseMismatchException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Adapters in folders that a method's settings name. */
public final class NestedAdapters {
    private NestedAdapters() {}

    /**
     * Loads such an adapter.
     *
     * @throws BaseMismatchException if the folder exists but its adapter can't be loaded on that base
     */
    public static Adapter load(Base base, Path folder) {
        try {
            return Adapter.load(base, folder);
        } catch (InputException refusal) {
            throw Files.isDirectory(folder) ? new BaseMismatchException(refusal) : refusal;
        }
    }
}
