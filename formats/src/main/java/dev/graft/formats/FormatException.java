package dev.graft.formats;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A file that breaks the rules of its format. The message is {@code <file>: <what is wrong>}. */
public class FormatException extends InputException {
    private static final long serialVersionUID = 1;

    public FormatException(Path file, String what) {
        this(file.toString(), what, null);
    }

    /**
     * @param source the file, or a place inside one such as {@code tokenizer.json in model.jar}
     */
    public FormatException(String source, String what, @Nullable Throwable cause) {
        super(source + ": " + what, cause);
    }
}
