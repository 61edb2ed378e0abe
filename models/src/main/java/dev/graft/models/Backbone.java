package dev.graft.models;

import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.layers.Recurrence;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import java.util.List;

/** A transformer without a task head. */
public interface Backbone {
    /** Its sites, in the order of its modules. */
    List<Site> sites();

    /** Linear layers with a common input, group by group, in the order of a forward pass. */
    default List<List<Linear>> siblings() {
        return List.of();
    }

    /** The size of the network. */
    Size size();

    /** The size of a hidden state, except the last one if {@link #outputSize} differs. */
    default int hiddenSize() {
        return size().hidden;
    }

    /** The size of a last hidden state. */
    default int outputSize() {
        return hiddenSize();
    }

    /** The number of transformer layers. */
    default int layers() {
        return size().layers;
    }

    /** The longest sequence that it accepts, prompts included. */
    default int maxPositions() {
        return size().positions;
    }

    /** Returns whether keys rotate differently in texts of the two lengths, so a cache must be recomputed. */
    default boolean rotatesDifferently(long length, long other) {
        return false;
    }

    /**
     * The longest sequence whose positions rotate alike in texts of any length up to it; at most {@link #maxPositions}.
     */
    default int maxStablePositions() {
        return maxPositions();
    }

    /**
     * Returns whether one row of tokens may contain several texts, none of which sees another
     * ({@link Inputs#segments}).
     */
    default boolean supportsPacking() {
        return false;
    }

    /**
     * Returns whether one row may contain several texts at inference, in fp32 and without prompts, each with the result of the text alone. The
     * results are equal to the last bit if the products are batch-invariant ({@link Base#isBatchInvariant}).
     */
    default boolean supportsExactPacking() {
        return false;
    }

    /**
     * Returns whether the texts of a row may share one prompt or prefix before them. Each text continues it as if alone.
     */
    default boolean sharesPrompts() {
        return supportsPacking();
    }

    /** Returns whether layers keep a recurrent state ({@link Recurrence}) in place of keys and values. */
    default boolean isRecurrent() {
        return false;
    }

    /**
     * Returns whether the result of a row depends on no other row, to the last bit, provided that its linear layers have this property. See
     * {@link Base#isBatchInvariant}. The default is false for recurrent models: the rounding of a state's products depends on the other rows.
     */
    default boolean isBatchInvariant() {
        return !isRecurrent();
    }

    /**
     * Returns whether a layer that computes queries, keys and values together interleaves them by head or by group of
     * heads. Else all queries come first, then all keys.
     */
    default boolean interleavesHeads() {
        return false;
    }

    /** Returns whether layers are of several kinds, which depend on their positions. */
    default boolean hasMixedLayers() {
        return false;
    }

    /** Returns whether training adds a loss that balances how often experts are chosen. */
    default boolean hasLoadBalanceLoss() {
        return false;
    }

    /** The number of token ids. */
    default int vocabSize() {
        return size().vocab;
    }

    /** The number of bands of its input spectrograms; 0 for models without audio input. */
    default int bands() {
        return 0;
    }

    /** Returns a valid batch with these token ids {@code [batch][seq]}, for trial passes. */
    default Inputs dummyInputs(long[][] ids) {
        return Inputs.of(ids);
    }

    /**
     * The sizes that every transformer has.
     *
     * @param vocab the number of token ids
     * @param hidden the size of a hidden state
     * @param layers the number of transformer layers
     * @param heads the number of attention heads of a layer
     * @param positions the longest sequence, prompts included
     */
    record Size(int vocab, int hidden, int layers, int heads, int positions) {
        /** The number of positions of a model without a limit, which sees only distances. */
        public static final int UNLIMITED = 1 << 24;
    }

    /** Returns the hidden states of a batch, {@code [batch, seq, hidden]}. */
    HiddenStates forward(Inputs in, ForwardPass pass);
}
