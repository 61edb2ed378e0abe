package dev.graft.run.config;

import dev.graft.tensor.Numerics;
import java.util.Locale;

/** The names of number formats of a frozen base in options. */
public enum NumericsChoice {
    AUTO,
    FP32,
    BF16;

    /** Returns the number formats for this processor. */
    public Numerics numerics() {
        return Numerics.of(toString());
    }

    /** Returns its name in options. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
