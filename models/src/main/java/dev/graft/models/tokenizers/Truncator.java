package dev.graft.models.tokenizers;

import dev.graft.formats.InputException;
import java.util.ArrayList;
import java.util.List;

/**
 * Truncation like that of the {@code tokenizers} library: the number of tokens kept of each text, and the resulting
 * windows.
 */
final class Truncator {

    private Truncator() {}

    /**
     * Returns the number of tokens that are kept of each text.
     *
     * @param room the number of tokens that fit, without the special ones
     * @param second the length of the second text; -1 if there is none
     */
    static int[] lengths(Truncation truncation, int room, int first, int second) {
        int total = first + Math.max(second, 0);
        if (total <= room) {
            return new int[] {first, second};
        }
        if (room == 0) {
            return new int[] {0, Math.min(second, 0)};
        }
        int excess = total - room;
        return switch (truncation.strategy()) {
            case LONGEST_FIRST -> second < 0 ? new int[] {room, second} : balanced(room, first, second);
            case ONLY_FIRST -> new int[] {shorten("first", first, excess, truncation), second};
            case ONLY_SECOND -> {
                if (second < 0) {
                    throw new InputException(
                            "truncation ONLY_SECOND of a single text; use ONLY_FIRST or LONGEST_FIRST");
                }
                yield new int[] {first, shorten("second", second, excess, truncation)};
            }
        };
    }

    private static int shorten(String which, int length, int excess, Truncation truncation) {
        if (length > excess) { // at least one token stays
            return length - excess;
        }
        throw new InputException("truncation " + truncation.strategy() + " to " + truncation.maxLength()
                + " tokens must drop " + excess + " tokens, but the " + which + " text has only " + length
                + "; raise the limit or use LONGEST_FIRST");
    }

    private static int[] balanced(int room, int first, int second) {
        int small = Math.min(first, second);
        int large = small > room ? small : Math.max(small, room - small);
        if (small + large > room) {
            small = room / 2;
            large = small + room % 2;
        }
        return first > second ? new int[] {large, small} : new int[] {small, large};
    }

    /** Returns the kept part first, then the parts that follow it in the direction of the cut. */
    static List<TokenizedText> windows(TokenizedText tokens, int length, int stride, Side side) {
        int total = tokens.length();
        if (length >= total) {
            return List.of(tokens);
        }
        List<TokenizedText> parts = new ArrayList<>();
        int step = length - stride;
        for (int moved = 0; ; moved += step) {
            int from = side == Side.RIGHT ? moved : Math.max(0, total - moved - length);
            int to = side == Side.RIGHT ? Math.min(total, moved + length) : total - moved;
            parts.add(tokens.slice(from, to));
            if (side == Side.RIGHT ? to == total : from == 0) {
                return parts;
            }
        }
    }
}
