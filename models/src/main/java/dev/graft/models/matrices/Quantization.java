package dev.graft.models.matrices;

import java.util.Locale;

/**
 * The storage format of a frozen base's linear layers. The matrices of heads, embeddings and norms are never quantised.
 */
public enum Quantization {
    /** Not quantised, even if the checkpoint is. */
    NONE,
    /** The format of the checkpoint. */
    KEEP,
    /** Four bits, levels of a normal distribution; scales of blocks of 64 in eight bits. 4.13 bits per value. */
    NF4,
    /** Four bits, floating point; scales as with {@link #NF4}. */
    FP4,
    /** Eight bits and a scale for each row. */
    INT8,
    /** Four bits, and a scale and a bias for each group of 32 in a row. 6 bits per value. */
    INT4;

    /**
     * Returns the format of that name, in lower case.
     *
     * @throws IllegalArgumentException for an unknown name
     */
    public static Quantization of(String name) {
        return valueOf(name.toUpperCase(Locale.ROOT));
    }

    /** The name of the format in options. */
    public String title() {
        return name().toLowerCase(Locale.ROOT);
    }

    @Override
    public String toString() {
        return title();
    }

    /** Returns whether unquantised matrices are quantised on reading. */
    public boolean quantizes() {
        return this != NONE && this != KEEP;
    }
}
