package dev.graft.serve;

import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.store.Store;
import dev.graft.peft.store.StoredVersion;
import java.util.List;

/** A store of versions: a name means the version that is served now, {@code name@3} and {@code name@tag} that one. */
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
    public String version(String name) {
        StoredVersion version = store.resolve(name);
        return version.title() + " " + version.id();
    }

    @Override
    public Adapter load(Base base, String name) {
        return store.load(base, name);
    }
}
