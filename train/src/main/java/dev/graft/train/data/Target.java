package dev.graft.train.data;

import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

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

    /**
     * For a model that says something about each token: at each position the class of the token, or the id that should stand there, else
     * {@link #NONE}.
     */
    record InPlace(int[] labels) implements Target {}

    /**
     * The tokens of an answer in a text, for extractive question answering.
     *
     * @param start the first; the first of all where the passage doesn't answer
     * @param end the last
     */
    record Span(int start, int end, Passage passage) implements Target {}

    /**
     * For a judged answer of a causal model.
     *
     * @param labels as those of {@link Tokens}
     * @param isGood whether it is an answer to learn, else one to avoid
     */
    record Judged(int[] labels, boolean isGood) implements Target {}

    /** A class. */
    record ClassId(int id) implements Target {}

    /** 1 for each class of the row, else 0. */
    record MultiHot(float[] classes) implements Target {}

    /** A number to predict. */
    record Score(float value) implements Target {}

    /** The text and the image of a row belong together; those of other rows don't. */
    record Match() implements Target {}

    /**
     * A class for each point of an image.
     *
     * @param labelled how many points have one
     * @param classes gives them, {@code [height, width]}; 255 where there is none
     */
    record Points(int labelled, Supplier<byte[]> classes) implements Target {
        /** The class of points without one. */
        public static final int UNLABELLED = 255;
    }

    /** Terms of the loss: tokens or points with a label, else 1. */
    default int lossTerms() {
        if (this instanceof Points points) {
            return points.labelled;
        }
        int[] labels = tokenLabels();
        if (labels == null) {
            return 1;
        }
        int terms = 0;
        for (int i = this instanceof InPlace ? 0 : 1; i < labels.length; i++) {
            if (labels[i] != NONE) {
                terms++;
            }
        }
        return terms;
    }

    /** The labels of tokens; null where there are none. */
    default int @Nullable [] tokenLabels() {
        if (this instanceof InPlace own) {
            return own.labels;
        }
        return this instanceof Tokens tokens ? tokens.labels : this instanceof Judged judged ? judged.labels : null;
    }
}
