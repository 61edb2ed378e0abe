package dev.graft.peft.store;

import dev.graft.formats.InputException;
import org.jspecify.annotations.Nullable;

/**
 * Damage in a store.
 *
 * @param version the damaged version; null if a name can't be read
 */
public record StoreProblem(@Nullable StoredVersion version, String problem) {
    static StoreProblem of(@Nullable StoredVersion version, InputException damage) {
        return new StoreProblem(version, String.valueOf(damage.getMessage()));
    }
}
