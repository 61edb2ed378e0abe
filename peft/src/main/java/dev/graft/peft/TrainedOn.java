package dev.graft.peft;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The base that an adapter was trained on: on another one of equal shapes it would give nonsense, and nobody would be told.
 *
 * @param fingerprint {@link Base#fingerprint}
 */
public record TrainedOn(String base, String fingerprint) {
    /** What an adapter's record says, or null where it says nothing. */
    static @Nullable TrainedOn of(Fields record) {
        String fingerprint = record.stringOrNull("base_fingerprint");
        return fingerprint == null ? null : new TrainedOn(record.string("base", "unknown"), fingerprint);
    }

    /** What the folder of an adapter says, or null where it says nothing. */
    public static @Nullable TrainedOn read(Path folder) {
        Path record = folder.resolve(AdapterFolder.RECORD);
        return Files.exists(record) ? of(Fields.read(record)) : null;
    }

    /**
     * Refuses another base.
     *
     * @param adapter how the message names the adapter
     */
    public void require(Base given, String adapter) {
        if (!fingerprint.equals(given.fingerprint())) {
            throw new InputException(adapter + " was trained on another base (" + base + ", fingerprint "
                    + start(fingerprint) + "), this one is " + given.name() + ", fingerprint "
                    + start(given.fingerprint()));
        }
    }

    private static String start(String fingerprint) {
        return fingerprint.substring(0, Math.min(12, fingerprint.length())) + "…";
    }
}
