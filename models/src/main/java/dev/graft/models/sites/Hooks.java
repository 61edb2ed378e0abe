package dev.graft.models.sites;

import dev.graft.models.matrices.FusedMatrix;
import dev.graft.tensor.Ops;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The functions that a model calls at its sites during a forward pass. Every method's default is the frozen model. */
public interface Hooks {
    /** No hooks: the frozen model. */
    Hooks NONE = new Hooks() {};

    /**
     * Returns a key that is equal for hooks under which equal steps run the same loops on the same memory. Such hooks are none, and low-rank
     * updates of rows. Null for hooks with other effects.
     */
    default @Nullable Object replayKey() {
        return this == NONE ? NONE : null;
    }

    /** Returns whether a hook reads the input of an attention layer's projections ({@link PassView#attentionInput}). */
    default boolean readsAttentionInput() {
        return false;
    }

    /** Returns the output {@code [batch, ..., out]} of a linear layer for x {@code [batch, ..., in]}. */
    default Tensor linear(Linear site, Tensor x, PassView pass) {
        return site.apply(x, pass);
    }

    /** Returns the outputs of linear layers on the same x {@code [batch, ..., in]}; no gradient need be recorded. */
    default Tensor[] linears(List<Linear> sites, Tensor x, PassView pass) {
        FusedMatrix fused = sites.stream().allMatch(this::isFrozen) ? Linear.fused(sites) : null;
        return fused == null || x.requires_grad()
                ? sites.stream().map(site -> linear(site, x, pass)).toArray(Tensor[]::new)
                : fused.times(Ops.to(x, sites.get(0).type()), null);
    }

    /**
     * Returns the output of one expert's layer.
     *
     * @param x {@code [n, in]}
     * @param batchRows the row of the batch of each of the n positions
     */
    default Tensor expert(Experts site, int expert, Tensor x, long[] batchRows, PassView pass) {
        return site.at(expert).apply(x, pass);
    }

    /** Returns the output of a convolution for x {@code [batch, in, size...]}. */
    default Tensor convolution(Convolution site, Tensor x, PassView pass) {
        return site.apply(x, pass);
    }

    /** Returns the embeddings {@code [batch, seq, hidden]} of ids {@code [batch, seq]}. */
    default Tensor embedding(Embedding site, Tensor ids, PassView pass) {
        return site.apply(ids, pass);
    }

    /** Returns the normalised x {@code [batch, ..., hidden]}. */
    default Tensor norm(Norm site, Tensor x, PassView pass) {
        return site.apply(x);
    }

    /** Returns whether no hook applies at a site, so that only the frozen model's operation and gradient remain. */
    default boolean isFrozen(Site site) {
        return this == NONE;
    }

    /**
     * Returns whether the hooks at a site only prepend prompt rows or a prefix to each text of a batch, equal for all texts.
     */
    default boolean onlyPrepends(Site site) {
        return false;
    }

    /** Returns the linear layer of every row of a batch at a site; null if rows differ or it is unknown. */
    default @Nullable Affine affine(Linear site) {
        return isFrozen(site) ? site : null;
    }

    /**
     * Returns whether the result of a position at a site depends on no other position. That holds if no hook applies, or one on a linear layer
     * with a gradient by formula.
     */
    default boolean isLocal(Site site) {
        if (isFrozen(site)) {
            return true;
        }
        Affine layer = site instanceof Linear linear ? affine(linear) : null;
        return layer != null && layer.manualGradient() != null;
    }

    /** Returns the tensor to add to the residual {@code [batch, seq, hidden]} in place of the block's output. */
    default Tensor block(Block site, Tensor residual, Tensor output, PassView pass) {
        return output;
    }

    /** Returns the hidden states {@code [batch, seq, hidden]} for the next layer. */
    default Tensor layer(Layer site, Tensor hidden, PassView pass) {
        return hidden;
    }

    /** Returns the hidden states {@code [batch, seq, hidden]} that enter the first layer. */
    default Tensor stream(Stream site, Tensor hidden, PassView pass) {
        return hidden;
    }

    /** Returns rows to prepend to those that enter the first layer, or null. */
    default @Nullable SoftPrompt prompt(Stream site, long batch, PassView pass) {
        return null;
    }

    /** Undoes {@link #stream} before a vocabulary head, if possible: rows {@code [..., hidden]} of the whole batch. */
    default Tensor undoStream(Stream site, Tensor rows) {
        return rows;
    }

    /** Returns keys and values to prepend to an attention layer's own, or null. */
    default @Nullable Prefix prefix(Attention site, long batch, PassView pass) {
        return null;
    }

    /**
     * Returns the result of an attention layer before its output projection.
     *
     * @param queries {@code [batch, heads, seq, headDim]}, rotated by their positions
     * @param attended {@code [batch, seq, heads · headDim]}
     */
    default Tensor attended(Attention site, Tensor queries, Tensor attended, PassView pass) {
        return attended;
    }

    /** Returns rows to prepend to the token embeddings, or null. */
    default @Nullable SoftPrompt prompt(Embedding site, long batch, PassView pass) {
        return null;
    }

    /**
     * Returns the hooks for a batch with rows of several tasks; hooks of one task return themselves.
     *
     * @param rows the task number of each row; null if rows name none
     */
    default Hooks forTasks(int @Nullable [] rows) {
        return this;
    }

    /**
     * Returns the hooks for a batch that continues with only some of its rows, in the given order, after others have ended. Hooks that treat all
     * rows alike return themselves.
     */
    default Hooks selectRows(int... kept) {
        return this;
    }
}
