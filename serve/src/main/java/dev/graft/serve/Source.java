package dev.graft.serve;

import java.util.Set;
import java.util.function.Function;

/** What an adapter's name on the server stands for. */
sealed interface Source permits Source.Stored, VirtualAdapter {
    /**
     * What it means now.
     *
     * @param stored what a path in the store means
     * @param named what a name on the server stands for
     * @throws dev.graft.peft.store.UnknownAdapterException if it isn't there
     */
    AdapterStore.Found found(Function<String, AdapterStore.Found> stored, Function<String, Source> named);

    /** The names on the server of what it is made of; none where it is in the store. */
    default Set<String> parts() {
        return Set.of();
    }

    /**
     * An adapter of the store.
     *
     * @param path its name there, or its path
     */
    record Stored(String path) implements Source {
        @Override
        public AdapterStore.Found found(Function<String, AdapterStore.Found> stored, Function<String, Source> named) {
            return stored.apply(path);
        }
    }
}
