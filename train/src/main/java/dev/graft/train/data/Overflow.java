package dev.graft.train.data;

/** Ways to handle a row with more tokens than the limit. */
public enum Overflow {
    /** The row is dropped and counted. */
    DROP,
    /** The row's end is cut off, and it is counted; a causal row without remaining labels is dropped. */
    TRUNCATE,
    /** The row's beginning is cut off, and it is counted; for causal models. */
    TRUNCATE_LEFT,
    /**
     * The row is split into rows of the maximum length and a shorter last one; those without labels are dropped. For causal models.
     */
    SPLIT,
    /** The row is an error. */
    ERROR
}
