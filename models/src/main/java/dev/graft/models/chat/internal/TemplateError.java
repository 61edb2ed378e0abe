package dev.graft.models.chat.internal;

/** An error in a template before its line is known; line 0 until a node sets it. */
public final class TemplateError extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final int line;

    TemplateError(String what) {
        this(0, what);
    }

    TemplateError(int line, String what) {
        super(what, null, false, false);
        this.line = line;
    }

    public int line() {
        return line;
    }

    public String what() {
        return String.valueOf(getMessage());
    }

    TemplateError at(int line) {
        return this.line > 0 ? this : new TemplateError(line, what());
    }
}
