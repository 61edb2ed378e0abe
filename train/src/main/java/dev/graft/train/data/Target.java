package dev.graft.train.data;

import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The target of one example. */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract: examples are shared, not copied
public sealed interface Target {
    /** The label of a position that the loss ignores. */
    int NONE = -100;

    /**
     * The labels of a causal model, [length]: at each position its token id if the loss counts it, else {@link #NONE}. The model predicts
     * position i at position i - 1, so the label of position 0 never counts.
     */
    record Tokens(int[] labels) implements Target {}

    /**
     * The labels of a model with a prediction for each token, [length]: at each position the class or the correct id of that token, else
     * {@link #NONE}.
     */
    record InPlace(int[] labels) implements Target {}

    /**
     * The token span of an answer in a text, for extractive question answering.
     *
     * @param start the index of the first token; 0 if the passage has no answer
     * @param end the index of the last token
     */
    record Span(int start, int end, Passage passage) implements Target {}

    /**
     * A judged answer of a causal model.
     *
     * @param labels the labels, as in {@link Tokens}
     * @param isGood true for an answer to learn, false for one to avoid
     */
    record Judged(int[] labels, boolean isGood) implements Target {}

    /** A class. */
    record ClassId(int id) implements Target {}

    /** 1 for each class of the row, else 0, [classes]. */
    record MultiHot(float[] classes) implements Target {}

    /** A number to predict. */
    record Score(float value) implements Target {}

    /** The text and the image of a row belong together; those of other rows don't. */
    record Match() implements Target {}

    /**
     * A class for each pixel of an image.
     *
     * @param labelled the number of labelled pixels
     * @param classes returns the classes, {@code [height, width]}; 255 for unlabelled pixels
     */
    record Pixels(int labelled, Supplier<byte[]> classes) implements Target {
        /** The class of unlabelled pixels. */
        public static final int UNLABELLED = 255;
    }

    /** Returns the number of loss terms: labelled tokens or pixels, else 1. */
    default int lossTerms() {
        if (this instanceof Pixels points) {
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

    /** Returns the labels of tokens; null for other targets. */
    default int @Nullable [] tokenLabels() {
        if (this instanceof InPlace own) {
            return own.labels;
        }
        return this instanceof Tokens tokens ? tokens.labels : this instanceof Judged judged ? judged.labels : null;
    }
}
