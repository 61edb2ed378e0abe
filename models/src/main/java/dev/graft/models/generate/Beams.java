package dev.graft.models.generate;

import dev.graft.formats.InputException;
import java.util.Arrays;
import java.util.Locale;

/**
 * Beam search: several continuations are kept at every step, those whose tokens are likeliest together; the best one that ended is the
 * answer. A continuation's score is the sum of its tokens' log-probabilities over its length to the power of the length penalty.
 *
 * @param count how many continuations are kept; 1 for none beside the one that is sampled or likeliest
 * @param lengthPenalty more than 0 favours long texts, less than 0 short ones
 * @param earlyStopping when the search ends
 */
public record Beams(int count, double lengthPenalty, EarlyStopping earlyStopping) {
    /** No beam search. */
    public static final Beams NONE = new Beams(1, 1, EarlyStopping.NO);

    /** When a search ends, beside at the longest length. */
    public enum EarlyStopping {
        /** When the best continuation that goes on, at its present length, is no better than the worst that ended. */
        NO,
        /** When as many have ended as are kept. */
        YES,
        /** The same as {@link #NO}, but at the length that would be best for the one that goes on: no better one is missed. */
        NEVER;

        /** Reads {@code no}, {@code yes} or {@code never}. */
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
    public Beams {
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

    /** That many continuations, with the usual length penalty of 1. */
    public static Beams of(int count) {
        return new Beams(count, 1, EarlyStopping.NO);
    }
}
