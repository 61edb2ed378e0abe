package dev.graft.models.matrices;

import dev.graft.formats.InputException;

/** An operation needs an unquantised matrix, but it is quantised. */
public class QuantizedException extends InputException {
    private static final long serialVersionUID = 1;

    public QuantizedException(String message) {
        super(message);
    }
}
