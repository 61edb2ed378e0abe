package dev.graft.train.data;

/** Which tokens of a causal row the loss counts. */
public enum LossOn {
    /** The completion of a prompt, or the last answer of a conversation. */
    COMPLETION,
    /** Every answer of a conversation, or the completion of a prompt. */
    ASSISTANT,
    /** Everything. */
    ALL
}
