package dev.graft.formats;

import org.jspecify.annotations.Nullable;

/**
 * Unusable input of a user: a file, a field, an option. The message is complete by itself: what was read, where, what was expected and what to
 * do. The command line prints it alone and exits with 2.
 */
public class InputException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public InputException(String message) {
        super(message);
    }

    public InputException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }

    /** Quotes a text from outside for a message: its first 64 characters, with {@code ?} for invisible ones. */
    public static String quote(String text) {
        String plain = text.codePoints()
                .limit(64)
                .map(c -> Character.isISOControl(c) || Character.getType(c) == Character.FORMAT ? '?' : c)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
        return "\"" + plain + (plain.length() < text.length() ? "…" : "") + "\"";
    }
}
