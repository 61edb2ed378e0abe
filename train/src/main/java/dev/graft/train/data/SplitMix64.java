package dev.graft.train.data;

/**
 * The SplitMix64 generator (Steele, Lea, Flood 2014; the algorithm of {@code java.util.SplittableRandom}), written out because its
 * numbers decide the order of training rows and must never change.
 */
final class SplitMix64 {
    private static final long GOLDEN = 0x9e3779b97f4a7c15L;

    private long state;

    SplitMix64(long seed) {
        state = seed;
    }

    /** A generator for one of many streams of a seed. */
    static SplitMix64 of(long seed, long stream) {
        return new SplitMix64(mix(seed + GOLDEN) ^ stream);
    }

    long next() {
        state += GOLDEN;
        return mix(state);
    }

    /** From 0 to below a bound, by multiplication; uneven by less than one in 2³¹ / bound. */
    int next(int bound) {
        return (int) ((next() >>> 33) * bound >>> 31);
    }

    /** From 0 to below 1. */
    double share() {
        return (next() >>> 11) * 0x1p-53;
    }

    /** Fisher-Yates, in place. */
    void shuffle(int[] values) {
        for (int i = values.length - 1; i > 0; i--) {
            int j = next(i + 1);
            int value = values[i];
            values[i] = values[j];
            values[j] = value;
        }
    }

    private static long mix(long value) {
        long mixed = (value ^ value >>> 30) * 0xbf58476d1ce4e5b9L;
        mixed = (mixed ^ mixed >>> 27) * 0x94d049bb133111ebL;
        return mixed ^ mixed >>> 31;
    }
}
