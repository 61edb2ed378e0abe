package dev.graft.models;

import org.jspecify.annotations.Nullable;

/**
 * Other hidden states of the tokens that a head answers for too while a model is trained on tokens or on labels of whole rows: their loss is
 * that of the task. Preferences, rewards, points and spans have none.
 *
 * @param hidden no prompt stands before the tokens
 * @param head null for that of the base
 * @param weight how many times their loss counts beside that of the last hidden states
 */
public record Auxiliary(Hidden hidden, @Nullable Head head, double weight) {
    /** The head that answers. */
    public Head head(Base base) {
        return head == null ? base.head() : head;
    }
}
