package dev.graft.parity;

import dev.graft.formats.InputException;
import java.nio.file.Path;
import java.util.function.Supplier;

/** A case is about something that Graft doesn't have. */
final class NotCoveredException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    NotCoveredException(String reason) {
        super(reason);
    }

    /**
     * Loads something that a configuration describes. If the configuration itself is refused, Graft doesn't have the type or the option
     * that it names; any other refusal is an error, for the reference loads these files.
     */
    static <T> T unlessRefused(Path config, Supplier<T> loading) {
        try {
            return loading.get();
        } catch (InputException refused) {
            String message = String.valueOf(refused.getMessage());
            if (message.startsWith(config + ": ")) {
                throw new NotCoveredException(config.getFileName()
                        + message.substring(config.toString().length()));
            }
            throw refused;
        }
    }
}
