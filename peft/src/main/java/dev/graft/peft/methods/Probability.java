package dev.graft.peft.methods;

import dev.graft.formats.InputException;

/** Bounds of the probabilities that dropouts take. */
final class Probability {
    private Probability() {}

    /** Refuses what isn't 0 or more and less than 1. */
    static void require(String field, double p) {
        if (!(p >= 0 && p < 1)) {
            throw new InputException(field + " is " + p + ", expected 0 or more and less than 1");
        }
    }
}
