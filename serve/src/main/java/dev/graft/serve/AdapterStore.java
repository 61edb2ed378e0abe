package dev.graft.serve;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.store.Canary;
import dev.graft.peft.store.UnknownAdapterException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Where adapters are kept. */
public interface AdapterStore {
    /** Has no adapters. */
    AdapterStore NONE = new AdapterStore() {
        @Override
        public List<String> names() {
            return List.of();
        }

        @Override
        public Found find(String name) {
            throw new UnknownAdapterException("there are no adapters");
        }
    };

    /**
     * What a name means.
     *
     * @param title what clients may know it by, such as {@code sql@3}
     * @param version another text means another adapter
     * @param cost what it takes to have it again once it has left memory, 1 for one that is read from files
     * @param load loads it
     */
    record Found(String title, String version, int cost, Load load) {
        /** One that is read from files. */
        public Found(String title, String version, Load load) {
            this(title, version, 1, load);
        }

        /** The same as it was loaded anew that time, null for never. */
        Found renewed(@Nullable Long time) {
            return time == null ? this : new Found(title, version + " " + time, cost, load);
        }
    }

    /** Loads an adapter. */
    interface Load {
        /**
         * Loads it.
         *
         * @param serves whether it only acts, as {@link Adapter#loadServed} says; if not, it may be made into others
         * @throws InputException if it doesn't fit the base
         */
        Adapter of(Base base, boolean serves);
    }

    /** The names of the adapters that are there now, in alphabetical order. */
    List<String> names();

    /**
     * What a name means now.
     *
     * @throws UnknownAdapterException if there is none of that name
     */
    Found find(String name);

    /**
     * Where the files lie of what a name means now; null where they are in no folder.
     *
     * @throws UnknownAdapterException if there is none of that name
     */
    default @Nullable Path folder(String name) {
        return null;
    }

    /** What a share of a name's requests gets in place of what it means; null for none. */
    default @Nullable Canary canary(String name) {
        return null;
    }
}
