package dev.graft.tensor;

/**
 * The generator MT19937 (Matsumoto and Nishimura, 1998) with its two ways of seeding, as used by Python's {@code random} and NumPy's
 * {@code RandomState}.
 */
public final class MersenneTwister {
    private static final int N = 624;
    private static final int M = 397;

    private final int[] state = new int[N];
    private int next = N;

    private MersenneTwister(int seed) {
        state[0] = seed;
        for (int i = 1; i < N; i++) {
            state[i] = 1812433253 * mixed(i - 1) + i;
        }
    }

    /** {@code init_genrand(seed)}, as {@code numpy.random.RandomState(seed)}. */
    public static MersenneTwister of(int seed) {
        return new MersenneTwister(seed);
    }

    /** {@code init_by_array([seed])}, as Python's {@code random.Random(seed)}. */
    public static MersenneTwister byArray(int seed) {
        MersenneTwister twister = new MersenneTwister(19650218);
        twister.mixIn(seed);
        return twister;
    }

    private void mixIn(int seed) {
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

    /** Returns 32 random bits. */
    public int nextInt() {
        if (next == N) {
            twist();
        }
        int y = state[next++];
        y ^= y >>> 11;
        y ^= y << 7 & 0x9d2c5680;
        y ^= y << 15 & 0xefc60000;
        return y ^ y >>> 18;
    }

    private void twist() {
        for (int i = 0; i < N; i++) {
            int y = (state[i] & 0x80000000) | (state[(i + 1) % N] & 0x7fffffff);
            state[i] = state[(i + M) % N] ^ y >>> 1 ^ ((y & 1) == 0 ? 0 : 0x9908b0df);
        }
        next = 0;
    }

    /** Returns a uniform number on [0, 1) with 53 bits, as {@code random()} of both. */
    public double nextDouble() {
        int high = nextInt() >>> 5;
        int low = nextInt() >>> 6;
        return (high * 67108864.0 + low) / 9007199254740992.0;
    }
}
