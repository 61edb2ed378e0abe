package dev.graft.cli.adapters;

import dev.graft.peft.store.Store;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The options {@code --store} and {@code --encryption-key}. */
public final class StoreOptions {

    @Option(
            names = "--store",
            paramLabel = "DIR",
            description = "The store's folder (default: $GRAFT_ADAPTERS, else adapters in this folder).")
    private @Nullable Path store;

    @Mixin
    private EncryptionKeyOption key = new EncryptionKeyOption();

    /** Returns the folder of the store. */
    public Path folder() {
        if (store != null) {
            return store;
        }
        String named = System.getenv("GRAFT_ADAPTERS");
        return Path.of(named == null || named.isEmpty() ? "adapters" : named);
    }

    /** Opens the store, which must exist. */
    public Store open() {
        return Store.open(folder(), key.encryption());
    }

    Store create() {
        return Store.create(folder(), key.encryption());
    }
}
