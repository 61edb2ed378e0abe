package dev.graft.tensor;

import java.util.Arrays;

/**
 * The random numbers of NumPy's {@code default_rng(seed)}, bit for bit: the generator PCG64 (XSL-RR, O'Neill 2014) seeded by NumPy's
 * {@code SeedSequence}, and the methods of {@code Generator}. It reads files that contain a seed in place of numbers.
 *
 * <pre>{@code
 * long[] order = new NumpyRng(42).permutation(20);
 * }</pre>
 */
public final class NumpyRng {
    private static final long MULTIPLIER_HIGH = 2549297995355413924L;
    private static final long MULTIPLIER_LOW = 4865540595714422341L;
    private static final long WORD = 0xffffffffL;

    private final long incrementHigh;
    private final long incrementLow;
    private long high;
    private long low;
    /** The upper half of the last number where a lower half was asked for, else -1. */
    private long half = -1;

    /**
     * The generator of a seed.
     *
     * @throws IllegalArgumentException if the seed is negative
     */
    public NumpyRng(long seed) {
        if (seed < 0) {
            throw new IllegalArgumentException("the seed of NumPy's generator is " + seed + ", expected 0 or more");
        }
        long[] words = SeedSequence.state(seed);
        incrementHigh = words[2] << 1 | words[3] >>> 63;
        incrementLow = words[3] << 1 | 1;
        step();
        add(words[0], words[1]);
        step();
    }

    /** {@code random()}: uniform on [0, 1). */
    public double nextDouble() {
        return (next() >>> 11) * 0x1p-53;
    }

    /** {@code integers(0, bound)}: uniform on [0, bound) by Lemire's method; the bound is below 2³². */
    public long nextLong(long bound) {
        if (bound < 1 || bound > WORD) {
            throw new IllegalArgumentException("bound is " + bound + ", expected 1 to 2^32 - 1");
        }
        if (bound == 1) {
            return 0;
        }
        long product = next32() * bound;
        if ((product & WORD) < bound) {
            long threshold = (WORD + 1 - bound) % bound;
            while ((product & WORD) < threshold) {
                product = next32() * bound;
            }
        }
        return product >>> 32;
    }

    /** {@code permutation(n)}: 0 … n - 1 in random order. */
    public long[] permutation(int n) {
        long[] order = count(n);
        shuffle(order);
        return order;
    }

    /** {@code shuffle(values)}, in place. */
    public void shuffle(long[] values) {
        for (int i = values.length - 1; i > 0; i--) {
            swap(values, i, (int) masked(i));
        }
    }

    /** {@code choice(n, size, replace=False)}: distinct numbers from 0 … n - 1. */
    public long[] choice(int n, int size) {
        if (size < 0 || size > n) {
            throw new IllegalArgumentException("size is " + size + ", expected 0 to " + n);
        }
        if (n > 10000 && size > n / 20) {
            long[] order = count(n);
            shuffleBelow(order, Math.max(n - size, 1));
            return Arrays.copyOfRange(order, n - size, n);
        }
        // Floyd's algorithm.
        long[] chosen = new long[size];
        boolean[] known = new boolean[n];
        for (int j = n - size; j < n; j++) {
            int value = (int) nextLong(j + 1L);
            int taken = known[value] ? j : value;
            known[taken] = true;
            chosen[j - (n - size)] = taken;
        }
        shuffleBelow(chosen, 1);
        return chosen;
    }

    private static long[] count(int n) {
        long[] values = new long[n];
        Arrays.setAll(values, i -> i);
        return values;
    }

    /** The shuffle of {@code choice}: places from the last to the first one, drawn by Lemire's method. */
    private void shuffleBelow(long[] values, int first) {
        for (int i = values.length - 1; i >= first; i--) {
            swap(values, i, (int) nextLong(i + 1L));
        }
    }

    private static void swap(long[] values, int i, int j) {
        long value = values[i];
        values[i] = values[j];
        values[j] = value;
    }

    /** Uniform on [0, most] by rejection of what exceeds it, as {@code shuffle} draws. */
    private long masked(long most) {
        long mask = (Long.highestOneBit(most) << 1) - 1;
        long value;
        do {
            value = next32() & mask;
        } while (value > most);
        return value;
    }

    /** Thirty-two bits: the lower half of a number, then its upper half. */
    private long next32() {
        if (half >= 0) {
            long value = half;
            half = -1;
            return value;
        }
        long value = next();
        half = value >>> 32;
        return value & WORD;
    }

    private long next() {
        step();
        return Long.rotateRight(high ^ low, (int) (high >>> 58));
    }

    /** {@code state · multiplier + increment} modulo 2¹²⁸. */
    private void step() {
        long productHigh = unsignedMultiplyHigh(low, MULTIPLIER_LOW) + high * MULTIPLIER_LOW + low * MULTIPLIER_HIGH;
        low *= MULTIPLIER_LOW;
        high = productHigh;
        add(incrementHigh, incrementLow);
    }

    private void add(long byHigh, long byLow) {
        long sum = low + byLow;
        high += byHigh + (Long.compareUnsigned(sum, low) < 0 ? 1 : 0);
        low = sum;
    }

    private static long unsignedMultiplyHigh(long a, long b) {
        return Math.multiplyHigh(a, b) + (a >> 63 & b) + (b >> 63 & a);
    }

    /** NumPy's spreading of a seed over a generator's state ({@code numpy.random.SeedSequence}). */
    private static final class SeedSequence {
        private static final int POOL = 4;

        private int constant = 0x43b0d7e5;

        private int hash(int value) {
            int mixed = value ^ constant;
            constant *= 0x931e8875;
            mixed *= constant;
            return mixed ^ mixed >>> 16;
        }

        private static int mix(int x, int y) {
            int mixed = 0xca01f9dd * x - 0x4973f715 * y;
            return mixed ^ mixed >>> 16;
        }

        /** {@code SeedSequence(seed).generate_state(4, uint64)}. */
        static long[] state(long seed) {
            SeedSequence sequence = new SeedSequence();
            int[] pool = {(int) seed, (int) (seed >>> 32), 0, 0};
            for (int i = 0; i < POOL; i++) {
                pool[i] = sequence.hash(pool[i]);
            }
            for (int from = 0; from < POOL; from++) {
                for (int to = 0; to < POOL; to++) {
                    if (from != to) {
                        pool[to] = mix(pool[to], sequence.hash(pool[from]));
                    }
                }
            }
            long[] words = new long[POOL];
            int constant = 0x8b51f9dd;
            for (int i = 0; i < 2 * POOL; i++) {
                int value = pool[i % POOL] ^ constant;
                constant *= 0x58f38ded;
                value *= constant;
                value ^= value >>> 16;
                words[i / 2] |= (value & WORD) << (i % 2 * 32);
            }
            return words;
        }
    }
}
