package dev.graft.train.data;

/** In which order rows are trained. */
public enum Order {
    /** As in the file, in every epoch. */
    FIXED,
    /** Shuffled anew in each epoch. */
    SHUFFLED,
    /**
     * Shuffled, but rows of a batch have similar lengths: within every 50 batches rows are sorted by length, cut into batches, and the
     * batches shuffled. Little padding, still another mixture in each epoch.
     */
    LENGTH_GROUPED,
    /** All rows sorted by length, cut into batches, and the batches shuffled: the least padding. Rows of equal length mix. */
    LENGTH_SORTED
}
