package dev.graft.models;

import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import java.util.List;

/** A transformer without a task head. */
public interface Backbone {
    /** Its sites, in the order of its modules. */
    List<Site> sites();

    /** Linear layers that are given the same input, group by group, in the order in which a pass asks for them. */
    default List<List<Linear>> siblings() {
        return List.of();
    }

    /** How large it is. */
    Size size();

    /** The size of a hidden state, but for the last one where {@link #outputSize} is another. */
    default int hiddenSize() {
        return size().hidden;
    }

    /** The size of a last hidden state. */
    default int outputSize() {
        return hiddenSize();
    }

    /** How many transformer layers it has. */
    default int layers() {
        return size().layers;
    }

    /** The longest sequence it can take, prompts included. */
    default int maxPositions() {
        return size().positions;
    }

    /** Whether the keys of a text of one length are others in a text of the other, so that a cache must be made again. */
    default boolean turnsAnew(long length, long other) {
        return false;
    }

    /** The longest sequence up to which a position is turned alike whatever the length of the text; at most {@link #maxPositions}. */
    default int steadyPositions() {
        return maxPositions();
    }

    /** Whether several texts may stand in a row of tokens, none of which sees another ({@link Inputs#segments}). */
    default boolean packs() {
        return false;
    }

    /**
     * Whether several texts may stand in a row in inference, in fp32 and without prompts, and each gets what it gets alone: to the last bit, where products
     * give rows that ({@link Base#rowsAreSteady}).
     */
    default boolean packsExactly() {
        return false;
    }

    /** Whether a prompt or prefix may stand once before the texts of a row, each of which reads on from it as if it were alone. */
    default boolean sharesPrompts() {
        return packs();
    }

    /** Whether layers keep a state of what was read ({@link Recurrence}) in place of keys and values. */
    default boolean recurs() {
        return false;
    }

    /**
     * Whether what a row is given depends on no other row to the last bit where that holds for its linear layers; see
     * {@link Base#rowsAreSteady}. The products of a recurrent state are rounded otherwise beside other rows.
     */
    default boolean rowsAreSteady() {
        return !recurs();
    }

    /**
     * Whether a layer that gives queries, keys and values together has those of one head, or of some, after those of the one before; else all queries
     * come first, then all keys.
     */
    default boolean fusesByHead() {
        return false;
    }

    /** Whether layers are of several kinds, which follow from where they stand. */
    default boolean layersDiffer() {
        return false;
    }

    /** Whether training adds a loss that balances how often experts are chosen. */
    default boolean balances() {
        return false;
    }

    /** The number of token ids it knows. */
    default int vocabSize() {
        return size().vocab;
    }

    /** The bands of the spectrograms that it takes; 0 for models that take none. */
    default int bands() {
        return 0;
    }

    /** A batch that it takes, with these token ids {@code [batch][seq]}: what a trial pass is made with. */
    default Inputs trial(long[][] ids) {
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
        /** The positions of a model that knows distances alone, which have no end. */
        public static final int ENDLESS = 1 << 24;
    }

    /** The hidden states of a batch. */
    Hidden hidden(Inputs in, Pass pass);
}
