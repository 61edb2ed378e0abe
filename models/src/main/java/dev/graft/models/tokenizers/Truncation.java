package dev.graft.models.tokenizers;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * How a text that is too long is shortened. Semantics of the {@code tokenizers} library.
 *
 * @param maxLength the most tokens of the result, special tokens included. A limit below the number of special tokens cuts nothing, as
 *     in the reference library.
 * @param strategy which of two texts is shortened
 * @param side where tokens are dropped; null means the tokenizer's own {@code truncation_side}
 * @param stride for {@link Tokenizer#windows}: tokens that a window shares with the one before it; ignored when only the first window
 *     is kept, which is the same for every stride
 */
public record Truncation(
        int maxLength, Strategy strategy, @Nullable Side side, int stride) {

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

    /** Longest first, at the tokenizer's own side. */
    public static Truncation to(int maxLength) {
        return new Truncation(maxLength, Strategy.LONGEST_FIRST, null, 0);
    }

    public Truncation with(Strategy strategy) {
        return new Truncation(maxLength, strategy, side, stride);
    }

    public Truncation at(Side side) {
        return new Truncation(maxLength, strategy, side, stride);
    }

    public Truncation withStride(int stride) {
        return new Truncation(maxLength, strategy, side, stride);
    }
}
