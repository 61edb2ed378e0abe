package dev.graft.serve.json;

import org.jspecify.annotations.Nullable;

/** The beginning of a JSON text, and what may follow it. Immutable, and equal to what may be followed alike. */
interface JsonState {
    /** Whether the text has ended. */
    boolean isWhole();

    /** The text with another byte, 0 to 255; null if it doesn't go on so. */
    @Nullable
    JsonState next(int b);
}
