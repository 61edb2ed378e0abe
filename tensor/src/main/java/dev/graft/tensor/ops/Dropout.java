package dev.graft.tensor.ops;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.kernels.Kernels;
import dev.graft.tensor.internal.kernels.Operand;
import java.util.Arrays;
import java.util.function.IntConsumer;
import java.util.stream.LongStream;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Dropout masks and noise from a generator per thread (SplitMix64), seeded for every step. Draws depend only on the seed, the step and the
 * thread's part of the batch. They cost a fraction of those of libtorch's single shared generator.
 */
public final class Dropout {
    private static final ThreadLocal<Dropout> OWN = ThreadLocal.withInitial(Dropout::new);
    private static final long STEP = 0x9e3779b97f4a7c15L;

    /** The number of values that fit into the first-level cache beside their targets. */
    private static final int PART = 1 << 11;

    private static final long[] STEPS =
            LongStream.rangeClosed(1, PART).map(i -> i * STEP).toArray();

    /** The steps if each number is needed twice in a row. */
    private static final long[] PAIR_STEPS =
            LongStream.range(0, PART).map(i -> (i / 2 + 1) * STEP).toArray();

    /** Half of the bits where the first of two is needed. */
    private static final long[] FIRST =
            LongStream.range(0, PART).map(i -> i % 2 == 0 ? 0xffffffffL : 0).toArray();

    /** The lowest bit of each 32. */
    private static final long EACH = 0x0000000100000001L;

    /** The lower half of each 32 bits. */
    private static final long SIXTEEN = 0xffffL * EACH;

    private final long[] drawn = new long[PART];
    private long state;
    private boolean disabled;

    private Dropout() {}

    /** Disables dropout on this thread until the result is closed. */
    public static Disabled disabled() {
        Dropout generator = OWN.get();
        boolean before = generator.disabled;
        generator.disabled = true;
        return () -> generator.disabled = before;
    }

    /** A period without dropout on a thread. */
    public interface Disabled extends AutoCloseable {
        @Override
        void close();
    }

    /** Seeds this thread's masks for a step of a run and a part of its batch. */
    public static void seed(long seed, long step, int part) {
        OWN.get().state = Rng.mix(seed, "step " + step + " part " + part);
    }

    /** Returns the state of this thread's generator, which changes with every draw. */
    public static long state() {
        return OWN.get().state;
    }

    /** Restores a state, so the draws after it are repeated. */
    static void state(long state) {
        OWN.get().state = state;
    }

    /** Zeroes elements with probability p and scales the rest by 1 / (1 - p), in training only. */
    public static Tensor apply(Tensor x, double p, boolean training) {
        if (!training || p == 0) {
            return x;
        }
        if (x.requires_grad()) {
            return x.mul(mask(x.scalar_type(), p, Tensors.shape(x)));
        }
        Mask mask = draw(p, x);
        return mask == null ? x : mask.apply(x);
    }

    /** Returns a mask of that shape: 0 with probability p (to 16 bits), else 1 / (1 - p). */
    public static Tensor mask(ScalarType type, double p, long... shape) {
        if (OWN.get().disabled) {
            return Tensors.ones(type, shape);
        }
        long bound = Math.round(p * 65536);
        if (bound == 65536) {
            return Tensors.zeros(type, shape);
        }
        double keep = 1 / (1 - p);
        Dropout generator = OWN.get();
        if (type.value == ScalarType.BFloat16.value) {
            return generator.halves(bound, bfloat16((float) keep), shape);
        }
        return type.value == ScalarType.Float.value
                ? generator.floats(bound, (float) keep, shape)
                : Ops.to(generator.floats(bound, 1, shape), type).mul_(new Scalar(keep));
    }

    /** Returns standard normal noise, fp32; zeros while dropout is disabled. */
    public static Tensor normal(long... shape) {
        Dropout generator = OWN.get();
        if (generator.disabled) {
            return Tensors.zeros(ScalarType.Float, shape);
        }
        generator.state += STEP;
        return Rng.of(generator.state, "normal").normal(0, 1, shape);
    }

    /** Returns whether dropout is disabled on this thread. */
    public static boolean isDisabled() {
        return OWN.get().disabled;
    }

    /**
     * Draws a mask with as many numbers as x has, which exists only as a generator state until its use; null while dropout is disabled.
     */
    public static @Nullable Mask draw(double p, Tensor x) {
        Dropout generator = OWN.get();
        if (generator.disabled || p == 0) {
            return null;
        }
        Mask mask = new Mask(generator.state, p);
        generator.state += (x.numel() + 3) / 4 * STEP;
        return mask;
    }

    /**
     * A mask as {@link Dropout#mask} returns it, recomputed from the generator's state at each use. Its application records no gradient.
     *
     * @param state the state of the generator before the mask
     * @param p the probability that a value is dropped
     */
    public record Mask(long state, double p) {
        /** Returns x times the mask. */
        public Tensor apply(Tensor x) {
            Tensor fused = fused(x, false);
            return fused == null ? x.mul(tensor(x)) : fused;
        }

        /** Applies the mask in place. */
        public Tensor applyInPlace(Tensor x) {
            Tensor fused = fused(x, true);
            return fused == null ? x.mul_(tensor(x)) : fused;
        }

        /** Returns x with the mask by a loop, in place or not; null where the loop doesn't support x. */
        private @Nullable Tensor fused(Tensor x, boolean inPlace) {
            if (!Kernels.supports(x) || inPlace && !x.is_contiguous()) {
                return null;
            }
            long n = x.numel();
            Tensor y = inPlace ? x : Tensors.empty(x.scalar_type(), Tensors.shape(x));
            Operand from = Operand.flat("x", x.contiguous(), x.scalar_type(), n);
            Operand to = Operand.flat("the result", y, x.scalar_type(), n);
            dropout(from.address(), to.address(), from.bf16(), n, state, bound(), scale(), Kernels.threads(n));
            Operand.keepAlive(from, to);
            return y;
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

    /**
     * Computes {@code y = x ⊙ mask} with the numbers that follow that state of {@link Dropout}.
     *
     * @param y may be x
     * @param bound a value is dropped if its 16 bits are below this
     */
    private static native void dropout(
            long x, long y, int bf16, long n, long state, int bound, float scale, int threads);
}
