package dev.graft.serve.adapters;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.store.Canary;
import dev.graft.peft.store.UnknownAdapterException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A source of adapters. */
public interface AdapterStore {
    /** The empty store. */
    AdapterStore NONE = new AdapterStore() {
        @Override
        public List<String> names() {
            return List.of();
        }

        @Override
        public Loadable find(String name) {
            throw new UnknownAdapterException("there are no adapters");
        }
    };

    /**
     * An adapter that a name resolves to, not loaded yet.
     *
     * @param title its public name, such as {@code sql@3}
     * @param version a text that identifies its content: another text means another adapter
     * @param cost the relative cost of loading it again after eviction; 1 for an adapter from files
     * @param loader loads it
     */
    record Loadable(String title, String version, int cost, Loader loader) {
        /** Creates an adapter from files, with cost 1. */
        public Loadable(String title, String version, Loader loader) {
            this(title, version, 1, loader);
        }

        /** Returns this adapter as of a reload, null for none. */
        Loadable reloaded(@Nullable Long time) {
            return time == null ? this : new Loadable(title, version + " " + time, cost, loader);
        }
    }

    /** A function that loads an adapter. */
    interface Loader {
        /**
         * Loads the adapter.
         *
         * @param serves true if it is only served, see {@link Adapter#loadServed}; false if it may be combined with others
         * @throws InputException if it doesn't fit the base
         */
        Adapter load(Base base, boolean serves);
    }

    /** Returns the names of the adapters that are present, in alphabetical order. */
    List<String> names();

    /**
     * Resolves a name to its present adapter.
     *
     * @throws UnknownAdapterException if there is none of that name
     */
    Loadable find(String name);

    /**
     * Returns the folder of the adapter that a name resolves to; null if its files are in no folder.
     *
     * @throws UnknownAdapterException if there is none of that name
     */
    default @Nullable Path folder(String name) {
        return null;
    }

    /** Returns the canary that receives a share of a name's requests; null for none. */
    default @Nullable Canary canary(String name) {
        return null;
    }
}
