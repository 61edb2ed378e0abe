package dev.graft.models.generate;

/** Why a generated text ended. */
public enum FinishReason {
    /** The model gave a token that ends a text. */
    END_TOKEN,
    /** A stop string appeared, or what else the caller waits for. */
    STOP_STRING,
    /** The allowed number of tokens, or the longest sequence that the model can take, was reached. */
    LENGTH
}
