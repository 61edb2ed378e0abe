package dev.graft.peft.store;

import dev.graft.formats.InputException;

/** The store has no adapter, version or tag of that name. */
public final class UnknownAdapterException extends InputException {
    private static final long serialVersionUID = 1;

    public UnknownAdapterException(String message) {
        super(message);
    }
}
