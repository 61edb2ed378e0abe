package dev.graft.peft;

import dev.graft.formats.InputException;

/** Settings that do not fit a base. They may fit another one. */
public final class BaseMismatchException extends InputException {
    private static final long serialVersionUID = 1;

    public BaseMismatchException(String message) {
        super(message);
    }

    /** A refusal that is due to the base; the message stays. */
    public BaseMismatchException(InputException refusal) {
        super(String.valueOf(refusal.getMessage()), refusal);
    }
}
