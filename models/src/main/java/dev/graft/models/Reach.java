package dev.graft.models;

/**
 * Which of the keys up to its own a query sees.
 *
 * @param size of a window or a chunk, in positions
 */
public record Reach(Form form, int size) {
    /** All keys. */
    public static final Reach ALL = new Reach(Form.ALL, 0);

    /** How keys are chosen. */
    public enum Form {
        ALL,
        /** Those that are less than a window's size away. */
        WINDOW,
        /** Those of the query's own chunk: a text is cut into chunks of one size from its first token, or that of a prefix, on. */
        CHUNK
    }

    /** A window of so many positions; 0 for all. */
    public static Reach window(int positions) {
        return positions == 0 ? ALL : new Reach(Form.WINDOW, positions);
    }

    /** Chunks of so many positions. */
    public static Reach chunk(int positions) {
        return new Reach(Form.CHUNK, positions);
    }
}
