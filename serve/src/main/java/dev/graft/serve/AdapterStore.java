package dev.graft.serve;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.store.UnknownAdapterException;
import java.util.List;

/** Where adapters are kept. */
public interface AdapterStore {
    /** Has no adapters. */
    AdapterStore NONE = new AdapterStore() {
        @Override
        public List<String> names() {
            return List.of();
        }

        @Override
        public String version(String name) {
            throw new UnknownAdapterException("there are no adapters");
        }

        @Override
        public Adapter load(Base base, String name) {
            throw new UnknownAdapterException("there are no adapters");
        }
    };

    /** The names of the adapters that are there now, in alphabetical order. */
    List<String> names();

    /**
     * What a name means now: another text means another adapter.
     *
     * @throws UnknownAdapterException if there is none of that name
     */
    String version(String name);

    /**
     * Loads an adapter.
     *
     * @throws UnknownAdapterException if there is none of that name
     * @throws InputException if it doesn't fit the base
     */
    Adapter load(Base base, String name);
}
