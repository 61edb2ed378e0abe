package dev.graft.models.matrices;

import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Computes decoded values in Java, a few at a time so that they stay in the processor's cache. */
@FunctionalInterface
interface FloatDecoder {
    /** The number of elements decoded at a time, a multiple of every block. */
    int CHUNK = 1 << 15;

    /** Writes {@code count} values from the given element on to the start of an array. */
    void make(long first, int count, float[] into);

    /** Fills a contiguous tensor of any floating type with the values from the given element on. */
    default void fill(Tensor into, long first) {
        long all = into.numel();
        float[] made = new float[(int) Math.min(CHUNK, all)];
        boolean direct = into.scalar_type().value == ScalarType.Float.value;
        try (Scope scope = new Scope()) {
            Tensor flat = into.view(-1);
            Tensor buffer = direct ? flat : Tensors.empty(ScalarType.Float, made.length);
            for (long at = 0; at < all; at += CHUNK) {
                int count = (int) Math.min(CHUNK, all - at);
                make(first + at, count, made);
                if (direct) {
                    new FloatPointer(into.data_ptr()).position(at).put(made, 0, count);
                } else {
                    new FloatPointer(buffer.data_ptr()).put(made, 0, count);
                    flat.narrow(0, at, count).copy_(buffer.narrow(0, 0, count));
                }
            }
        }
    }
}
