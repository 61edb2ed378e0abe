package dev.graft.eval.metrics;

import java.util.Locale;

/** The way in which precision, recall and F1 of the classes become one number, as scikit-learn's {@code average}. */
public enum Average {
    /** Class 1 alone, of exactly two classes. */
    BINARY,
    /** The mean over all classes; a class that never occurs and is never predicted counts as 0. */
    MACRO,
    /** The score of the counts summed over classes. */
    MICRO,
    /** The mean over classes weighted by how many rows have the class. */
    WEIGHTED;

    String prefixed(String score) {
        return this == BINARY ? score : name().toLowerCase(Locale.ROOT) + "_" + score;
    }
}
