package dev.graft.tensor;

import java.util.Arrays;
import java.util.function.IntConsumer;
import java.util.stream.LongStream;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Dropout masks and noise from a generator of each thread's own (SplitMix64), seeded for every step: what is drawn depends on the seed, the
 * step and the thread's part of the batch, not on what happened before, and drawing costs a fraction of libtorch's single shared generator.
 */
public final class Dropout {
    private static final ThreadLocal<Dropout> OWN = ThreadLocal.withInitial(Dropout::new);
    private static final long STEP = 0x9e3779b97f4a7c15L;

    /** As many as fit into the first cache beside what they are written to. */
    private static final int PART = 1 << 11;

    private static final long[] STEPS =
            LongStream.rangeClosed(1, PART).map(i -> i * STEP).toArray();

    /** Where each number is needed twice in a row. */
    private static final long[] PAIR_STEPS =
            LongStream.range(0, PART).map(i -> (i / 2 + 1) * STEP).toArray();

    /** Half of the bits where the first of two is needed. */
    private static final long[] FIRST =
            LongStream.range(0, PART).map(i -> i % 2 == 0 ? 0xffffffffL : 0).toArray();

    /** The lowest bit of each 32. */
    private static final long EACH = 0x0000000100000001L;

    /** Of each 32 bits the lower half. */
    private static final long SIXTEEN = 0xffffL * EACH;

    private final long[] drawn = new long[PART];
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
        Dropout own = OWN.get();
        if (type.value == ScalarType.BFloat16.value) {
            return own.halves(bound, bfloat16((float) keep), shape);
        }
        return type.value == ScalarType.Float.value
                ? own.floats(bound, (float) keep, shape)
                : Ops.to(own.floats(bound, 1, shape), type).mul_(new Scalar(keep));
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

    /** A mask of as many numbers as x has, which is made where it is used; null where nothing is dropped. */
    public static @Nullable Mask draw(double p, Tensor x) {
        Dropout own = OWN.get();
        if (own.off || p == 0) {
            return null;
        }
        Mask mask = new Mask(own.state, p);
        own.state += (x.numel() + 3) / 4 * STEP;
        return mask;
    }

    /**
     * A mask as {@link Dropout#mask} gives it, which is made each time that it is used: what it is put on gets no gradient.
     *
     * @param state where the generator stood before it
     */
    public record Mask(long state, double p) {
        /** x with the mask. */
        public Tensor on(Tensor x) {
            Tensor fused = Fused.dropout(x, this, false);
            return fused == null ? x.mul(tensor(x)) : fused;
        }

        /** The same in place. */
        public Tensor onto(Tensor x) {
            Tensor fused = Fused.dropout(x, this, true);
            return fused == null ? x.mul_(tensor(x)) : fused;
        }

        private Tensor tensor(Tensor x) {
            long now = Dropout.state();
            Dropout.state(state);
            try {
                return mask(x.scalar_type(), p, Tensors.shape(x));
            } finally {
                Dropout.state(now);
            }
        }

        int bound() {
            return (int) Math.round(p * 65536);
        }

        float scale() {
            return (float) (1 / (1 - p));
        }
    }

    /** bf16: the value with these bits where a number drawn between 0 and 65535 is at least the bound, else 0. */
    private Tensor halves(long bound, long bits, long... shape) {
        long numbers = (count(shape) + 3) / 4;
        Tensor mask = Tensors.empty(ScalarType.BFloat16, 4 * numbers);
        long carry = (0x10000 - bound) * EACH;
        long kept = bits * EACH;
        fill(mask, numbers, STEPS, size -> {
            long[] to = drawn;
            for (int i = 0; i < size; i++) {
                long z = to[i];
                long even = ((z & SIXTEEN) + carry) >>> 16 & EACH;
                long odd = ((z >>> 16 & SIXTEEN) + carry) >>> 16 & EACH;
                to[i] = ((even << 16) - even & kept) | ((odd << 16) - odd & kept) << 16;
            }
        });
        return mask.narrow(0, 0, count(shape)).view(shape);
    }

    /** fp32, from the same numbers: the value where one is at least the bound, else 0. */
    private Tensor floats(long bound, float value, long... shape) {
        long numbers = (count(shape) + 3) / 4;
        Tensor mask = Tensors.empty(ScalarType.Float, 4 * numbers);
        long carry = (0x10000 - bound) * EACH;
        long kept = Float.floatToRawIntBits(value) * EACH;
        fill(mask, 2 * numbers, PAIR_STEPS, size -> {
            long[] to = drawn;
            for (int i = 0; i < size; i++) {
                long z = (to[i] & FIRST[i]) | (to[i] >>> 32 & ~FIRST[i]);
                long both = ((z & 0xffffL | (z & 0xffff0000L) << 16) + carry) >>> 16 & EACH;
                to[i] = (both << 32) - both & kept;
            }
        });
        return mask.narrow(0, 0, count(shape)).view(shape);
    }

    /** Fills a tensor with what a loop makes of numbers of the generator, 64 bits at a time. */
    private void fill(Tensor mask, long size, long[] steps, IntConsumer loop) {
        LongPointer target = new LongPointer(mask.data_ptr());
        for (long start = 0; start < size; start += PART) {
            int part = (int) Math.min(PART, size - start);
            draw(steps, part);
            loop.accept(part);
            target.position(start).put(drawn, 0, part);
            state += steps[part - 1];
        }
    }

    /** SplitMix64. A loop of its own, as the others are: the compiler works on several numbers at once only where a loop is short. */
    private void draw(long[] steps, int size) {
        long from = state;
        long[] to = drawn;
        for (int i = 0; i < size; i++) {
            long z = from + steps[i];
            z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
            z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
            to[i] = z ^ z >>> 31;
        }
    }

    private static long count(long... shape) {
        return Arrays.stream(shape).reduce(1, Math::multiplyExact);
    }

    private static short bfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        return (short) ((bits + 0x7fff + (bits >>> 16 & 1)) >>> 16);
    }
}
