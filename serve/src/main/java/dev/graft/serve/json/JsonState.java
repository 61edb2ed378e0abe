package dev.graft.serve.json;

import org.jspecify.annotations.Nullable;

/**
 * The state of a JSON text after some bytes: which bytes may follow. Immutable; states with the same continuations are equal.
 */
interface JsonState {
    /** Returns whether the text is complete. */
    boolean isComplete();

    /** Returns the state after another byte, 0 to 255; null if the byte isn't allowed. */
    @Nullable
    JsonState advance(int b);
}
