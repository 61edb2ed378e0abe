package dev.graft.serve;

import dev.graft.formats.InputException;

/** There is no adapter of a name. */
public final class UnknownAdapterException extends InputException {
    private static final long serialVersionUID = 1;

    public UnknownAdapterException(String message) {
        super(message);
    }
}
