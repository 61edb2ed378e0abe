package dev.graft.models.chat;

import dev.graft.formats.InputException;
import org.jspecify.annotations.Nullable;

/** A chat template that cannot be read or rendered. The message is {@code <source>, line <n>: <what is wrong>}. */
public final class TemplateException extends InputException {
    private static final long serialVersionUID = 1;

    private final int line;

    public TemplateException(String source, int line, String what, @Nullable Throwable cause) {
        super(source + ", line " + line + ": " + what, cause);
        this.line = line;
    }

    /** The line of the template, from 1. */
    public int line() {
        return line;
    }
}
