package dev.graft.models.generate;

/** Receives texts during their generation. */
@FunctionalInterface
public interface TextListener {
    /** Ignores all text. */
    TextListener SILENT = (row, piece) -> {};

    /**
     * Receives the next part of a row's text, never empty and never part of a character. The parts joined are the whole text.
     *
     * @param row the index of its prompt
     */
    void onText(int row, String piece);
}
