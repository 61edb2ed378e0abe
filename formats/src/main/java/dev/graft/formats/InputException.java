package dev.graft.formats;

import org.jspecify.annotations.Nullable;

/**
 * Something a person handed over is not usable: a file, a field, an option. The message is complete by itself: what was read,
 * where, what was expected and what to do. The command line prints it alone and exits with 2.
 */
public class InputException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public InputException(String message) {
        super(message);
    }

    public InputException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
