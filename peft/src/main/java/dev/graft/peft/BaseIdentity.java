package dev.graft.peft;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The base that an adapter was trained on. On another base of equal shapes its output would be meaningless without any error.
 *
 * @param base the name of the base
 * @param fingerprint {@link Base#fingerprint}
 */
public record BaseIdentity(String base, String fingerprint) {
    /** The file in an adapter's folder that names its base. */
    static final String RECORD = "graft.json";

    /** Returns the base in an adapter's record, or null if it has none. */
    static @Nullable BaseIdentity of(Fields record) {
        String fingerprint = record.stringOrNull("base_fingerprint");
        return fingerprint == null ? null : new BaseIdentity(record.string("base", "unknown"), fingerprint);
    }

    /**
     * Returns the base in the folder of an adapter, or null if it has none.
     *
     * @throws dev.graft.formats.FormatException if the record can't be read
     */
    public static @Nullable BaseIdentity read(Path folder) {
        Path record = folder.resolve(RECORD);
        return Files.exists(record) ? of(Fields.read(record)) : null;
    }

    /**
     * Refuses another base.
     *
     * @param adapter the name of the adapter in the message
     * @throws dev.graft.formats.InputException if the base is another one
     */
    public void requireSame(Base given, String adapter) {
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
