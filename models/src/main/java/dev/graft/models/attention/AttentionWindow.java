package dev.graft.models.attention;

/**
 * The keys, up to its own position, that a query sees.
 *
 * @param size the size of a window or a chunk, in positions
 */
public record AttentionWindow(Kind kind, int size) {
    /** All keys. */
    public static final AttentionWindow ALL = new AttentionWindow(Kind.ALL, 0);

    /** The rule that selects keys. */
    public enum Kind {
        ALL,
        /** Keys at a distance less than the size. */
        WINDOW,
        /**
         * Keys of the query's own chunk. A text is split into chunks of one size, starting at its first token or at that of a prefix.
         */
        CHUNK
    }

    /** Returns a window of that many positions; 0 for all. */
    public static AttentionWindow window(int positions) {
        return positions == 0 ? ALL : new AttentionWindow(Kind.WINDOW, positions);
    }

    /** Returns chunks of that many positions. */
    public static AttentionWindow chunk(int positions) {
        return new AttentionWindow(Kind.CHUNK, positions);
    }
}
