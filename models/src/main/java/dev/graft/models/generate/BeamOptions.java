package dev.graft.models.generate;

import dev.graft.formats.InputException;
import java.util.Arrays;
import java.util.Locale;

/**
 * Beam search: every step keeps several continuations, those with the highest joint probability; the result is the best finished one. A
 * continuation's score is the sum of its tokens' log-probabilities over its length to the power of the length penalty.
 *
 * @param count the number of continuations kept; 1 for no beam search
 * @param lengthPenalty more than 0 favours long texts, less than 0 short ones
 * @param earlyStopping the condition that ends the search
 */
public record BeamOptions(int count, double lengthPenalty, EarlyStopping earlyStopping) {
    /** No beam search. */
    public static final BeamOptions NONE = new BeamOptions(1, 1, EarlyStopping.NO);

    /** The condition that ends a search before the maximum length. */
    public enum EarlyStopping {
        /** The best running continuation, at its present length, is no better than the worst finished one. */
        NO,
        /** The number of finished continuations equals the number kept. */
        YES,
        /**
         * The condition of {@link #NO}, but with the best possible score of the running continuation, so no better one is missed.
         */
        NEVER;

        /**
         * Reads {@code no}, {@code yes} or {@code never}.
         *
         * @throws InputException for another text
         */
        public static EarlyStopping of(String name) {
            for (EarlyStopping value : values()) {
                if (value.name().equals(name.toUpperCase(Locale.ROOT))) {
                    return value;
                }
            }
            throw new InputException(
                    "early_stopping is \"" + name + "\", expected one of " + Arrays.toString(values()));
        }
    }

    /** @throws InputException when a value is out of its range */
    public BeamOptions {
        if (count < 1) {
            throw new InputException("num_beams is " + count + ", expected at least 1");
        }
        if (!Double.isFinite(lengthPenalty)) {
            throw new InputException("length_penalty is " + lengthPenalty + ", expected a number");
        }
        if (count == 1 && (lengthPenalty != 1 || earlyStopping != EarlyStopping.NO)) {
            throw new InputException("length_penalty and early_stopping belong to beam search: num_beams is 1");
        }
    }

    /** Creates options for that many continuations, with the usual length penalty of 1. */
    public static BeamOptions of(int count) {
        return new BeamOptions(count, 1, EarlyStopping.NO);
    }
}
