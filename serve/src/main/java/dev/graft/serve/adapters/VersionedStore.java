package dev.graft.serve.adapters;

import dev.graft.peft.store.Canary;
import dev.graft.peft.store.Store;
import dev.graft.peft.store.StoredVersion;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A store with versions: a name resolves to the version that is currently served, {@code name@3} and {@code name@tag} to that version.
 */
public final class VersionedStore implements AdapterStore {
    private final Store store;

    public VersionedStore(Store store) {
        this.store = store;
    }

    @Override
    public List<String> names() {
        return store.names();
    }

    @Override
    public Loadable find(String name) {
        StoredVersion version = store.resolve(name);
        return new Loadable(
                version.title(),
                version.title() + " " + version.id(),
                (base, serves) -> serves ? store.loadServed(base, version) : store.load(base, version));
    }

    @Override
    public @Nullable Path folder(String name) {
        return store.isEncrypted() ? null : store.folder(store.resolve(name));
    }

    @Override
    public @Nullable Canary canary(String name) {
        return store.canary(name);
    }
}
