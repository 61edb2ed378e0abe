package dev.graft.train.data;

/** Choices of the tokens that the loss of a causal model counts. */
public enum LossOn {
    /** The completion of a prompt, or the last answer of a conversation. */
    COMPLETION,
    /** Everything. */
    ALL,
    /** Every answer of a conversation, or the completion of a prompt. */
    ASSISTANT
}
