package dev.graft.formats;

import java.util.Arrays;

/**
 * Name, type and row-major shape of a stored tensor. Two are equal if all three are equal.
 *
 * @param shape sizes, outermost first; empty for a scalar. Copied, so later changes by the caller have no effect
 */
public record TensorInfo(String name, DType dtype, long[] shape) {

    public TensorInfo {
        shape = shape.clone();
        for (long size : shape) {
            if (size < 0) {
                throw new IllegalArgumentException(
                        "tensor " + name + " has a negative size in " + Arrays.toString(shape));
            }
        }
        if (Arrays.stream(shape).noneMatch(size -> size == 0)) {
            long bytes = dtype.bytes();
            for (long size : shape) {
                if (size > Long.MAX_VALUE / bytes) {
                    throw new ArithmeticException("tensor " + name + " of shape " + Arrays.toString(shape)
                            + " has more bytes than 63 bits can count");
                }
                bytes *= size;
            }
        }
    }

    @Override
    public long[] shape() {
        return shape.clone();
    }

    /** Number of dimensions. */
    public int rank() {
        return shape.length;
    }

    /** Number of elements: the product of the shape, 1 for a scalar. */
    public long elements() {
        long count = 1;
        for (long size : shape) {
            count *= size;
        }
        return count;
    }

    /** Number of bytes of the data. */
    public long bytes() {
        return elements() * dtype.bytes();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TensorInfo that
                && name.equals(that.name)
                && dtype == that.dtype
                && Arrays.equals(shape, that.shape);
    }

    @Override
    public int hashCode() {
        return 31 * (31 * name.hashCode() + dtype.hashCode()) + Arrays.hashCode(shape);
    }

    /** Returns for example {@code layers.0.q_proj.weight F32 [64, 64]}. */
    @Override
    public String toString() {
        return name + " " + dtype + " " + Arrays.toString(shape);
    }
}
