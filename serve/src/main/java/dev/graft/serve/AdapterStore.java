package dev.graft.serve;

import java.nio.file.Path;
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
        public Path folder(String name) {
            throw new UnknownAdapterException("there are no adapters");
        }
    };

    /** The names of the adapters that are there now, in alphabetical order. */
    List<String> names();

    /**
     * The folder of an adapter.
     *
     * @throws UnknownAdapterException if there is none of that name
     */
    Path folder(String name);
}
