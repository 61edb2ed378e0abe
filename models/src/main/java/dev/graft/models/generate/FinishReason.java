package dev.graft.models.generate;

/** The reason why a generated text ended. */
public enum FinishReason {
    /** The model generated a token that ends a text. */
    END_TOKEN,
    /** A stop string, or another condition of the caller, was met. */
    STOP_STRING,
    /** The maximum number of tokens, or the longest sequence of the model, was reached. */
    LENGTH
}
