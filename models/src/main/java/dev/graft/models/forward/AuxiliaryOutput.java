package dev.graft.models.forward;

import dev.graft.models.heads.Head;
import dev.graft.models.heads.HiddenStates;
import org.jspecify.annotations.Nullable;

/**
 * Additional hidden states that a head also evaluates in training, with the loss of the task. Supported for losses on tokens or on labels of
 * sequences; preferences, rewards, points and spans have none.
 *
 * @param hidden the hidden states, without prompt rows before the tokens
 * @param head null for the head of the base
 * @param weight the weight of their loss relative to that of the last hidden states
 */
public record AuxiliaryOutput(HiddenStates hidden, @Nullable Head head, double weight) {
    /** Returns the head for these states, which may be that of the base. */
    public Head headOr(Head ofBase) {
        return head == null ? ofBase : head;
    }
}
