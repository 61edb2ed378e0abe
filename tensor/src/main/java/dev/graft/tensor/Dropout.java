package dev.graft.tensor;

import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.ShortPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Dropout masks from a generator of each thread's own (SplitMix64), seeded for every step: what is dropped depends on the seed, the step
 * and the thread's part of the batch, not on what happened before, and drawing costs a fraction of libtorch's single shared generator.
 */
public final class Dropout {
    private static final ThreadLocal<Dropout> OWN = ThreadLocal.withInitial(Dropout::new);
    private static final int BLOCK = 1 << 14;

    private final float[] floats = new float[BLOCK];
    private final short[] shorts = new short[BLOCK];
    private final double[] doubles = new double[BLOCK];
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
        Tensor mask = Tensors.empty(type, shape);
        OWN.get().fill(mask, p);
        return mask;
    }

    private void fill(Tensor mask, double p) {
        int bound = (int) Math.round(p * 65536);
        double keep = 1 / (1 - p);
        long count = mask.numel();
        for (long start = 0; start < count; start += BLOCK) {
            int size = (int) Math.min(BLOCK, count - start);
            switch (mask.scalar_type().intern()) {
                case BFloat16 -> {
                    draw(size, bound, Float.floatToRawIntBits((float) keep));
                    new ShortPointer(mask.data_ptr()).position(start).put(shorts, 0, size);
                }
                case Double -> {
                    draw(size, bound, (float) keep);
                    for (int i = 0; i < size; i++) {
                        doubles[i] = floats[i] == 0 ? 0 : keep;
                    }
                    new DoublePointer(mask.data_ptr()).position(start).put(doubles, 0, size);
                }
                default -> {
                    draw(size, bound, (float) keep);
                    new FloatPointer(mask.data_ptr()).position(start).put(floats, 0, size);
                }
            }
        }
    }

    /** Sixteen bits decide on each element, four elements to a number drawn. */
    private void draw(int size, int bound, float keep) {
        for (int i = 0; i < size; i += 4) {
            long bits = next();
            for (int j = i; j < i + 4; j++) {
                floats[j] = (bits & 0xffff) < bound ? 0 : keep;
                bits >>>= 16;
            }
        }
    }

    private void draw(int size, int bound, int keepBits) {
        // Rounded to the nearest bf16.
        short keep = (short) ((keepBits + 0x7fff + (keepBits >>> 16 & 1)) >>> 16);
        for (int i = 0; i < size; i += 4) {
            long bits = next();
            for (int j = i; j < i + 4; j++) {
                shorts[j] = (bits & 0xffff) < bound ? 0 : keep;
                bits >>>= 16;
            }
        }
    }

    private long next() {
        state += 0x9e3779b97f4a7c15L;
        long z = (state ^ state >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return z ^ z >>> 31;
    }
}
