package dev.graft.train.data;

/** What a model should answer for one example. */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract: examples are shared, not copied
public sealed interface Target {
    /** The label of a position without one. */
    int NONE = -100;

    /**
     * For a causal model: at each position the id that stands there, where the loss counts it, else {@link #NONE}. The prediction of
     * position i is made at position i - 1, so the label of position 0 never counts.
     */
    record Tokens(int[] labels) implements Target {}

    /** A class. */
    record ClassId(int id) implements Target {}

    /** 1 for each class of the row, else 0. */
    record MultiHot(float[] classes) implements Target {}

    /** A number to predict. */
    record Score(float value) implements Target {}

    /** Terms of the loss: tokens for a causal model, else 1. */
    default int lossTerms() {
        if (!(this instanceof Tokens tokens)) {
            return 1;
        }
        int terms = 0;
        for (int i = 1; i < tokens.labels.length; i++) {
            if (tokens.labels[i] != NONE) {
                terms++;
            }
        }
        return terms;
    }
}
