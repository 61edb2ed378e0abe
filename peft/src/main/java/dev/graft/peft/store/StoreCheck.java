package dev.graft.peft.store;

import dev.graft.formats.InputException;
import java.security.PublicKey;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A check of every file of a store.
 *
 * @param requireSigned refuses a version that isn't signed by a key
 */
record StoreCheck(NameFolder names, ObjectFolder objects, BiConsumer<StoredVersion, PublicKey> requireSigned) {
    /** @param key the key that versions must be signed by, or null to ignore signatures */
    List<StoreProblem> run(@Nullable PublicKey key) {
        NameFolder.Contents contents = names.read();
        List<StoreProblem> found = new ArrayList<>();
        contents.damaged().forEach(damage -> found.add(StoreProblem.of(null, damage)));
        for (NameRecord record : contents.records()) {
            record.versions().forEach(version -> check(version, key, found));
        }
        return found;
    }

    private void check(StoredVersion version, @Nullable PublicKey key, List<StoreProblem> found) {
        try {
            String damage = objects.damage(version);
            if (damage != null) {
                found.add(new StoreProblem(version, damage));
            } else if (key != null) {
                requireSigned.accept(version, key);
            }
        } catch (InputException wrong) {
            found.add(StoreProblem.of(version, wrong));
        }
    }
}
