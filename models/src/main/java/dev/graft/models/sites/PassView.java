package dev.graft.models.sites;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The part of a forward pass that is visible to effects at its sites. */
public interface PassView {
    /** Returns whether the pass is one of training, where dropout applies. */
    boolean isTraining();

    /** Returns whether earlier passes have read the beginnings of the texts. */
    boolean isContinuation();

    /** Returns whether the rows are texts of different lengths, each with its own cache. */
    boolean isRagged();

    /** Returns 1 for visible positions and 0 for padding, {@code [batch, prompt + seq]}. Known after the embeddings. */
    Tensor mask();

    /**
     * Returns the tokens so far, cached ones before those of this pass, {@code [batch, seen]} int64; -1 for rows of a prompt. The last ones
     * belong to the positions of this pass.
     */
    Tensor tokens();

    /** Returns the number of positions of earlier passes, without padding, {@code [batch, 1]} int64; null for none. */
    @Nullable
    Tensor pastLengths();

    /** Returns the labels to predict at the rows of the prompt. */
    PromptTargets promptTargets();

    /** Stores a value for later sites of the pass, with a row for each row of this view's batch. */
    void putState(Object key, Tensor value);

    /** Returns the value stored under a key, for the rows of this view. */
    Tensor getState(Object key);

    /** Returns the input of the current attention layer, {@code [batch, seq, hidden]}. */
    Tensor attentionInput();

    /** Returns a view of this pass for some rows of its batch. */
    PassView of(Tensor rows);
}
