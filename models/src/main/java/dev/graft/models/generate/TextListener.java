package dev.graft.models.generate;

/** Gets texts while they are generated. */
@FunctionalInterface
public interface TextListener {
    /** Listens to nothing. */
    TextListener SILENT = (row, piece) -> {};

    /**
     * The next piece of a row's text, never empty and never part of a character. The pieces joined are the whole text.
     *
     * @param row the place of its prompt among the prompts
     */
    void text(int row, String piece);
}
