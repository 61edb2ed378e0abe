package dev.graft.serve.adapters;

import java.util.Set;
import java.util.function.Function;

/** The source of an adapter that a name on the server refers to. */
interface AdapterSource {
    /**
     * Resolves it to its present adapter.
     *
     * @param stored resolves a path in the store
     * @param named resolves a name on the server
     * @throws dev.graft.peft.store.UnknownAdapterException if it isn't there
     */
    AdapterStore.Loadable resolve(
            Function<String, AdapterStore.Loadable> stored, Function<String, AdapterSource> named);

    /** Returns the server names of the adapters that it is composed of; empty for an adapter of the store. */
    default Set<String> components() {
        return Set.of();
    }

    /**
     * An adapter of the store.
     *
     * @param path its name there, or its path
     */
    record FromStore(String path) implements AdapterSource {
        @Override
        public AdapterStore.Loadable resolve(
                Function<String, AdapterStore.Loadable> stored, Function<String, AdapterSource> named) {
            return stored.apply(path);
        }
    }
}
