package dev.graft.train.data;

/** What happens to a row with more tokens than the limit. */
public enum Overflow {
    /** It is left out, and counted. */
    DROP,
    /** Its end is cut off, and it is counted; a causal row with nothing left to learn is left out. */
    TRUNCATE,
    /** Its beginning is cut off, and it is counted; for causal models. */
    TRUNCATE_LEFT,
    /** It becomes several rows, each as long as may be but the last; those with nothing to learn are left out. For causal models. */
    SPLIT,
    /** It is an error. */
    ERROR
}
