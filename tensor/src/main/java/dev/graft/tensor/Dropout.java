package dev.graft.tensor;

import java.util.Arrays;
import java.util.stream.LongStream;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Dropout masks and noise from a generator of each thread's own (SplitMix64), seeded for every step: what is drawn depends on the seed, the
 * step and the thread's part of the batch, not on what happened before, and drawing costs a fraction of libtorch's single shared generator.
 */
public final class Dropout {
    private static final ThreadLocal<Dropout> OWN = ThreadLocal.withInitial(Dropout::new);
    private static final long STEP = 0x9e3779b97f4a7c15L;
    private static final long[] STEPS =
            LongStream.rangeClosed(1, 1 << 14).map(i -> i * STEP).toArray();

    private final long[] drawn = new long[STEPS.length];
    private long state;
    private boolean off;

    private Dropout() {}

    /** Until it is closed nothing is dropped on this thread. */
    public static Off off() {
        Dropout own = OWN.get();
        boolean before = own.off;
        own.off = true;
        return () -> own.off = before;
    }

    /** While nothing is dropped. */
    public interface Off extends AutoCloseable {
        @Override
        void close();
    }

    /** Seeds this thread's masks for a step of a run and a part of its batch. */
    public static void seed(long seed, long step, int part) {
        OWN.get().state = Rng.mix(seed, "step " + step + " part " + part);
    }

    /** Where this thread's masks stand: the same as before if none was drawn since. */
    public static long state() {
        return OWN.get().state;
    }

    /** Draws again what came after that state. */
    static void state(long state) {
        OWN.get().state = state;
    }

    /** 0 with probability p (to 16 bits), else 1 / (1 - p). */
    public static Tensor mask(ScalarType type, double p, long... shape) {
        if (OWN.get().off) {
            return Tensors.ones(type, shape);
        }
        long bound = Math.round(p * 65536);
        if (bound == 65536) {
            return Tensors.zeros(type, shape);
        }
        double keep = 1 / (1 - p);
        boolean half = type == ScalarType.BFloat16;
        Tensor kept = OWN.get()
                .kept(
                        bound + Short.MIN_VALUE,
                        half ? bfloat16((float) keep) : 1,
                        Arrays.stream(shape).reduce(1, Math::multiplyExact));
        return (half ? kept.view(type) : Ops.to(kept, type).mul_(new Scalar(keep))).view(shape);
    }

    /** Standard normal noise, fp32; zeros while nothing is dropped. */
    public static Tensor normal(long... shape) {
        Dropout own = OWN.get();
        if (own.off) {
            return Tensors.zeros(ScalarType.Float, shape);
        }
        own.state += STEP;
        return Rng.of(own.state, "normal").normal(0, 1, shape);
    }

    /** Whether nothing is dropped on this thread. */
    public static boolean isOff() {
        return OWN.get().off;
    }

    /** The mask that was drawn at that {@link #state}; what is drawn next stays the same. */
    public static Tensor again(long state, ScalarType type, double p, long... shape) {
        long now = state();
        state(state);
        try {
            return mask(type, p, shape);
        } finally {
            state(now);
        }
    }

    /** 16-bit integers: the given one where a number drawn between -32768 and 32767 is at least the bound, else 0. */
    private Tensor kept(long bound, long value, long count) {
        Scalar least = new Scalar(bound);
        Scalar factor = new Scalar(value);
        long numbers = (count + 3) / 4;
        Tensor kept = Tensors.empty(ScalarType.Short, 4 * numbers);
        LongPointer target = new LongPointer(kept.data_ptr());
        for (long start = 0; start < numbers; start += drawn.length) {
            int size = (int) Math.min(drawn.length, numbers - start);
            draw(size);
            target.position(start).put(drawn, 0, size);
            // At once, while it is in the processor's cache.
            kept.narrow(0, 4 * start, 4L * size).ge_(least).mul_(factor);
        }
        return kept.narrow(0, 0, count);
    }

    /** SplitMix64, written so that the compiler draws several at once. */
    private void draw(int size) {
        long from = state;
        long[] to = drawn;
        for (int i = 0; i < size; i++) {
            long z = from + STEPS[i];
            z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
            z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
            to[i] = z ^ z >>> 31 ^ 0x8000800080008000L;
        }
        state += size * STEP;
    }

    private static short bfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        return (short) ((bits + 0x7fff + (bits >>> 16 & 1)) >>> 16);
    }
}
