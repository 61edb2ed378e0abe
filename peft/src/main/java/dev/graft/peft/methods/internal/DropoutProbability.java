package dev.graft.peft.methods.internal;

import dev.graft.formats.InputException;

/** Bounds of dropout probabilities. */
public final class DropoutProbability {
    private DropoutProbability() {}

    /**
     * Refuses a probability outside [0, 1).
     *
     * @throws dev.graft.formats.InputException naming the field
     */
    public static void require(String field, double p) {
        if (!(p >= 0 && p < 1)) {
            throw new InputException(field + " is " + p + ", expected 0 or more and less than 1");
        }
    }
}
