package dev.graft.train.bench;

import dev.graft.tensor.MersenneTwister;
import java.util.Collections;
import java.util.List;

/**
 * The generator of Python's {@code random.Random(seed)} and the shuffle of {@code random.py}.
 *
 * <pre>{@code new PythonRandom(0).shuffle(batches); // as random.Random(0).shuffle(batches)}</pre>
 */
public final class PythonRandom {
    private final MersenneTwister twister;

    /** @param seed 0 or more: Python takes the absolute value of a negative one */
    public PythonRandom(int seed) {
        if (seed < 0) {
            throw new IllegalArgumentException("seed is " + seed + ", expected 0 or more");
        }
        twister = MersenneTwister.byArray(seed);
    }

    /** Returns {@code getrandbits(bits)}, for 1 to 32 bits; with 32 bits the result may be negative. */
    public int bits(int bits) {
        return twister.nextInt() >>> (32 - bits);
    }

    /** Returns {@code randrange(bound)}, for a bound of at least 1. */
    public int below(int bound) {
        int width = 32 - Integer.numberOfLeadingZeros(bound);
        int drawn;
        do {
            drawn = bits(width);
        } while (drawn >= bound);
        return drawn;
    }

    /** Shuffles in place, as {@code random.shuffle(list)}. */
    public void shuffle(List<?> list) {
        for (int i = list.size() - 1; i > 0; i--) {
            Collections.swap(list, i, below(i + 1));
        }
    }
}
