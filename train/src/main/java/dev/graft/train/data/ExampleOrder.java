package dev.graft.train.data;

/** Orders of training rows. */
public enum ExampleOrder {
    /** The order of the file, in every epoch. */
    FIXED,
    /** Shuffled anew in each epoch. */
    SHUFFLED,
    /**
     * Shuffled, but rows of a batch have similar lengths: within every 50 batches rows are sorted by length, cut into batches, and the
     * batches shuffled. There is little padding, and batches still differ in each epoch.
     */
    LENGTH_GROUPED,
    /**
     * All rows are sorted by length and cut into batches, and the batches shuffled. Padding is least; only rows of equal length are mixed.
     */
    LENGTH_SORTED
}
