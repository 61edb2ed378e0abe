package dev.graft.models.chat;

import dev.graft.formats.InputException;

/** A model has no chat template. */
public final class MissingTemplateException extends InputException {
    private static final long serialVersionUID = 1;

    public MissingTemplateException(String message) {
        super(message);
    }
}
