package dev.graft.train.data;

/** What happens to a row with more tokens than the limit. */
public enum Overflow {
    /** It is left out, and counted. */
    DROP,
    /** Its end is cut off, and it is counted; a causal row with nothing left to learn is left out. */
    TRUNCATE,
    /** It is an error. */
    ERROR
}
