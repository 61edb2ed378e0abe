package dev.graft.peft.store;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The entry of one name in a store.
 *
 * @param target the reference of an alias, or null
 * @param canary the other version for a share of an alias's requests, or null
 * @param served the served version, or null
 */
public record StoreEntry(
        String name,
        @Nullable String target,
        @Nullable Canary canary,
        @Nullable StoredVersion served,
        Map<String, Integer> tags,
        List<StoredVersion> versions) {
    static StoreEntry of(NameRecord record) {
        return new StoreEntry(
                record.name(),
                record.target(),
                record.canary(),
                record.current() == null ? null : record.version(record.current()),
                record.tags(),
                record.versions());
    }
}
