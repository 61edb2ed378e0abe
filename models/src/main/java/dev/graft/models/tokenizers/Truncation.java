package dev.graft.models.tokenizers;

import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The truncation of a text that is too long, with the semantics of the {@code tokenizers} library.
 *
 * @param maxLength the maximum number of tokens of the result, special tokens included. A limit below the number of
 *     special tokens cuts nothing, as in the reference library.
 * @param strategy the rule for which of two texts is shortened
 * @param side the end where tokens are dropped; null for the tokenizer's own {@code truncation_side}
 * @param stride the number of tokens that a window of {@link Tokenizer#windows} shares with the one before it. It has
 *     no effect on the first window, so it is ignored if only that is kept.
 */
@RecordBuilder
public record Truncation(
        int maxLength, Strategy strategy, @Nullable Side side, int stride) implements TruncationBuilder.With {

    public enum Strategy {
        /** Balances the two texts: the longer one loses first. */
        LONGEST_FIRST,
        /** Only the first text is shortened; an error if that is not enough. */
        ONLY_FIRST,
        /** Only the second text is shortened; an error if that is not enough. */
        ONLY_SECOND
    }

    public Truncation {
        Objects.requireNonNull(strategy, "strategy");
        if (maxLength < 0) {
            throw new IllegalArgumentException("maxLength is " + maxLength + ", expected 0 or more");
        }
        if (stride < 0) {
            throw new IllegalArgumentException("stride is " + stride + ", expected 0 or more");
        }
    }

    /** Returns a truncation that shortens the longest text first, at the side that the tokenizer configures. */
    public static Truncation to(int maxLength) {
        return new Truncation(maxLength, Strategy.LONGEST_FIRST, null, 0);
    }
}
