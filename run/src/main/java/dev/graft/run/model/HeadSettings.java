package dev.graft.run.model;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** The head that a base is loaded with. */
public interface HeadSettings {
    /** The head of the adapter, else that of {@code config.json}. */
    HeadSettings DEFAULT = new HeadSettings() {
        @Override
        public @Nullable String task() {
            return null;
        }

        @Override
        public List<String> labels() {
            return List.of();
        }
    };

    /** Returns the name of its task; null for that of the adapter, else of {@code config.json}. */
    @Nullable
    String task();

    /** Returns the names of a classifier's outputs; empty for those of the adapter, else of {@code config.json}. */
    List<String> labels();
}
