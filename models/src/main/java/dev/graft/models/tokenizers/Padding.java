package dev.graft.models.tokenizers;

import org.jspecify.annotations.Nullable;

/**
 * The padding that brings the encodings of a batch to one length.
 *
 * @param length the length of the result; 0 for that of the longest encoding of the batch. Longer encodings stay
 *     unchanged.
 * @param multipleOf the length is rounded up to a multiple of this; 1 for no rounding
 * @param side the end where padding is added; null for the tokenizer's own {@code padding_side}
 */
public record Padding(int length, int multipleOf, @Nullable Side side) {

    /** Pads to the longest encoding of the batch. */
    public static final Padding LONGEST = new Padding(0, 1, null);

    public Padding {
        if (length < 0) {
            throw new IllegalArgumentException("length is " + length + ", expected 0 or more");
        }
        if (multipleOf < 1) {
            throw new IllegalArgumentException("multipleOf is " + multipleOf + ", expected 1 or more");
        }
    }

    public static Padding to(int length) {
        return new Padding(length, 1, null);
    }

    public Padding roundedTo(int multiple) {
        return new Padding(length, multiple, side);
    }

    public Padding at(Side side) {
        return new Padding(length, multipleOf, side);
    }
}
