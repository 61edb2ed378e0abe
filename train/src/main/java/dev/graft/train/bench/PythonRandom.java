package dev.graft.train.bench;

import java.util.Collections;
import java.util.List;

/**
 * The generator of Python's {@code random.Random(seed)}: the Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998), seeded by
 * {@code init_by_array} as {@code _randommodule.c} does, and the shuffle of {@code random.py}.
 *
 * <pre>{@code new PythonRandom(0).shuffle(batches); // as random.Random(0).shuffle(batches)}</pre>
 */
public final class PythonRandom {
    private static final int N = 624;
    private static final int M = 397;

    private final int[] state = new int[N];
    private int next = N;

    /** @param seed 0 or more: Python takes the absolute value of a negative one */
    public PythonRandom(int seed) {
        if (seed < 0) {
            throw new IllegalArgumentException("seed is " + seed + ", expected 0 or more");
        }
        state[0] = 19650218;
        for (int i = 1; i < N; i++) {
            state[i] = 1812433253 * mixed(i - 1) + i;
        }
        int i = 1;
        for (int k = 0; k < N; k++) {
            state[i] = (state[i] ^ mixed(i - 1) * 1664525) + seed;
            i = following(i);
        }
        for (int k = 1; k < N; k++) {
            state[i] = (state[i] ^ mixed(i - 1) * 1566083941) - i;
            i = following(i);
        }
        state[0] = 0x80000000;
    }

    private int mixed(int i) {
        return state[i] ^ state[i] >>> 30;
    }

    private int following(int i) {
        if (i + 1 < N) {
            return i + 1;
        }
        state[0] = state[N - 1];
        return 1;
    }

    /** {@code getrandbits(bits)}, for 1 to 32 bits; 32 of them fill the sign too. */
    public int bits(int bits) {
        if (next == N) {
            twist();
        }
        int y = state[next++];
        y ^= y >>> 11;
        y ^= y << 7 & 0x9d2c5680;
        y ^= y << 15 & 0xefc60000;
        y ^= y >>> 18;
        return y >>> 32 - bits;
    }

    private void twist() {
        for (int i = 0; i < N; i++) {
            int y = state[i] & 0x80000000 | state[(i + 1) % N] & 0x7fffffff;
            state[i] = state[(i + M) % N] ^ y >>> 1 ^ ((y & 1) == 0 ? 0 : 0x9908b0df);
        }
        next = 0;
    }

    /** {@code randrange(bound)}, for a bound of at least 1. */
    public int below(int bound) {
        int width = 32 - Integer.numberOfLeadingZeros(bound);
        int drawn;
        do {
            drawn = bits(width);
        } while (drawn >= bound);
        return drawn;
    }

    /** {@code shuffle(list)}. */
    public void shuffle(List<?> list) {
        for (int i = list.size() - 1; i > 0; i--) {
            Collections.swap(list, i, below(i + 1));
        }
    }
}
