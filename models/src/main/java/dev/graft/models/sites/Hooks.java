package dev.graft.models.sites;

import dev.graft.models.Backbone;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.matrices.Together;
import dev.graft.tensor.Ops;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** What a model calls at its sites during a forward pass. Every method's default is the frozen model. */
public interface Hooks {
    /** The frozen model. */
    Hooks NONE = new Hooks() {};

    /** Refuses a model that they weren't made for: their sites aren't in it, so they would do nothing. */
    default void requireFit(Backbone backbone) {}

    /** Called before a pass: what is worked out from the inputs first is left in the pass. */
    default void before(Backbone backbone, Inputs in, Pass pass) {}

    /**
     * Equal for hooks under which a step of the same rows runs the same loops at the same places in memory: those of the frozen model, and of low-rank updates of rows,
     * whatever these are. Null where something else acts.
     */
    default @Nullable Object repeatable() {
        return this == NONE ? NONE : null;
    }

    /** Whether something looks at what goes into an attention layer's projections ({@link Pass#attentionInput}). */
    default boolean readAttentionInput() {
        return false;
    }

    /** The output of a linear layer for x {@code [batch, ..., in]}. */
    default Tensor linear(Linear site, Tensor x, Pass pass) {
        return site.apply(x, pass);
    }

    /** The outputs of linear layers that are given the same x {@code [batch, ..., in]}; no gradient need be recorded. */
    default Tensor[] linears(List<Linear> sites, Tensor x, Pass pass) {
        Together together = sites.stream().allMatch(this::isFrozen) ? Linear.together(sites) : null;
        return together == null || x.requires_grad()
                ? sites.stream().map(site -> linear(site, x, pass)).toArray(Tensor[]::new)
                : together.times(Ops.to(x, sites.get(0).type()), null);
    }

    /**
     * The output of one expert's layer.
     *
     * @param x {@code [n, in]}
     * @param batchRows the row of the batch that each of the n positions is in
     */
    default Tensor expert(Experts site, int expert, Tensor x, long[] batchRows, Pass pass) {
        return site.at(expert).apply(x, pass);
    }

    /** The output of a convolution for x {@code [batch, in, size...]}. */
    default Tensor convolution(Convolution site, Tensor x, Pass pass) {
        return site.apply(x, pass);
    }

    /** The embeddings of ids {@code [batch, seq]}. */
    default Tensor embedding(Embedding site, Tensor ids, Pass pass) {
        return site.apply(ids, pass);
    }

    /** The normalised x {@code [batch, ..., hidden]}. */
    default Tensor norm(Norm site, Tensor x, Pass pass) {
        return site.apply(x);
    }

    /** Whether nothing acts at a site, so that what the frozen model does there, and its gradient, is all there is. */
    default boolean isFrozen(Site site) {
        return this == NONE;
    }

    /** Whether all that acts at a site is what stands before each text of a batch and is the same for all: rows of a prompt, or a prefix. */
    default boolean onlyPrepends(Site site) {
        return false;
    }

    /** The linear layer that every row of a batch sees at a site, or null if rows see different ones or it isn't known. */
    default @Nullable Affine affine(Linear site) {
        return isFrozen(site) ? site : null;
    }

    /** Whether what a position is given at a site depends on no other: nothing acts there, or something on a linear layer by formula. */
    default boolean isLocal(Site site) {
        if (isFrozen(site)) {
            return true;
        }
        Affine layer = site instanceof Linear linear ? affine(linear) : null;
        return layer != null && layer.explicit() != null;
    }

    /** What is added to the residual {@code [batch, seq, hidden]} in place of the block's output. */
    default Tensor block(Block site, Tensor residual, Tensor output, Pass pass) {
        return output;
    }

    /** The hidden states {@code [batch, seq, hidden]} that go to the next layer. */
    default Tensor layer(Layer site, Tensor hidden, Pass pass) {
        return hidden;
    }

    /** The hidden states {@code [batch, seq, hidden]} that enter the first layer. */
    default Tensor stream(Stream site, Tensor hidden, Pass pass) {
        return hidden;
    }

    /** Rows to put before those that enter the first layer, or null. */
    default @Nullable Prompt prompt(Stream site, long batch, Pass pass) {
        return null;
    }

    /** Undoes before a vocabulary what {@link #stream} did, where that can be undone: rows {@code [..., hidden]} of the whole batch. */
    default Tensor undo(Stream site, Tensor rows) {
        return rows;
    }

    /** Keys and values to put before an attention layer's own, or null. */
    default @Nullable Prefix prefix(Attention site, long batch, Pass pass) {
        return null;
    }

    /**
     * What an attention layer gives, before its output projection.
     *
     * @param queries {@code [batch, heads, seq, headDim]}, turned by their positions
     * @param attended {@code [batch, seq, heads · headDim]}
     */
    default Tensor attended(Attention site, Tensor queries, Tensor attended, Pass pass) {
        return attended;
    }

    /** Rows to put before the token embeddings, or null. */
    default @Nullable Prompt prompt(Embedding site, long batch, Pass pass) {
        return null;
    }

    /**
     * What acts on a batch whose rows are of several tasks; hooks that know one task are their own answer.
     *
     * @param rows the number of each row's task; null where rows name none
     */
    default Hooks tasks(int @Nullable [] rows) {
        return this;
    }

    /**
     * What acts when a batch goes on with some of its rows only, in the given order, as in generation when others have ended. Hooks
     * that treat all rows alike are their own answer.
     */
    default Hooks rows(int... kept) {
        return this;
    }
}
