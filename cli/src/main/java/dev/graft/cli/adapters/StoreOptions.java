package dev.graft.cli.adapters;

import dev.graft.peft.store.Seal;
import dev.graft.peft.store.Store;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** {@code --store} and {@code --encryption-key}. */
public final class StoreOptions {

    @Option(
            names = "--store",
            paramLabel = "DIR",
            description = "The store's folder (default: $GRAFT_ADAPTERS, else adapters in this folder).")
    private @Nullable Path store;

    @Option(
            names = "--encryption-key",
            paramLabel = "FILE",
            description =
                    "The key of an encrypted store, which `graft adapters key` makes (default: $GRAFT_ADAPTERS_KEY).")
    private @Nullable Path key;

    /** The folder. */
    public Path folder() {
        if (store != null) {
            return store;
        }
        String named = System.getenv("GRAFT_ADAPTERS");
        return Path.of(named == null || named.isEmpty() ? "adapters" : named);
    }

    private @Nullable Seal seal() {
        return seal(key);
    }

    /** The key in a file, else the one that the environment names, else none. */
    public static @Nullable Seal seal(@Nullable Path file) {
        if (file != null) {
            return Seal.read(file);
        }
        String named = System.getenv("GRAFT_ADAPTERS_KEY");
        return named == null || named.isEmpty() ? null : Seal.read(Path.of(named));
    }

    /** The store, which must be there. */
    public Store open() {
        return Store.open(folder(), seal());
    }

    Store create() {
        return Store.create(folder(), seal());
    }
}
