package dev.graft.tensor;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Conversions between Java values and tensors. Every result owns its memory, except {@link #memory} and {@link #buffer}.
 */
public final class Tensors {
    static {
        Natives.load();
    }

    private static final MemoryFormatOptional ANY_ORDER = new MemoryFormatOptional().retainReference();
    private static final Map<Byte, TensorOptions> OPTIONS = new ConcurrentHashMap<>();

    private Tensors() {}

    /** A tensor of the given values, row-major, fp32. */
    public static Tensor of(float[] values, long... shape) {
        check(values.length, shape);
        Tensor tensor = empty(ScalarType.Float, shape);
        if (values.length > 0) {
            new FloatPointer(tensor.data_ptr()).put(values, 0, values.length);
        }
        return tensor;
    }

    /** A tensor of the given values, row-major, int64. */
    public static Tensor of(long[] values, long... shape) {
        check(values.length, shape);
        Tensor tensor = empty(ScalarType.Long, shape);
        if (values.length > 0) {
            new LongPointer(tensor.data_ptr()).put(values, 0, values.length);
        }
        return tensor;
    }

    /** A matrix of rows of equal length, int64, {@code [rows, columns]}. */
    public static Tensor of(long[][] rows) {
        int columns = rows.length == 0 ? 0 : rows[0].length;
        long[] flat = new long[Math.multiplyExact(rows.length, columns)];
        for (int i = 0; i < rows.length; i++) {
            if (rows[i].length != columns) {
                throw new IllegalArgumentException(
                        "row " + i + " has " + rows[i].length + " values, row 0 has " + columns);
            }
            System.arraycopy(rows[i], 0, flat, i * columns, columns);
        }
        return of(flat, rows.length, columns);
    }

    /**
     * Returns the memory of a dense tensor of less than 2 GiB for raw little-endian bytes, valid while the tensor lives.
     */
    public static ByteBuffer buffer(Tensor tensor) {
        return tensor.nbytes() == 0
                ? ByteBuffer.allocate(0)
                : new BytePointer(tensor.data_ptr()).capacity(tensor.nbytes()).asByteBuffer();
    }

    /** Copies raw little-endian bytes into a tensor of that type and shape. */
    public static Tensor of(ByteBuffer bytes, ScalarType type, long... shape) {
        Tensor tensor = empty(type, shape);
        long size = tensor.nbytes();
        if (bytes.remaining() != size) {
            throw new IllegalArgumentException(
                    bytes.remaining() + " bytes given, " + size + " expected for " + Arrays.toString(shape));
        }
        if (size > 0) {
            buffer(tensor).put(bytes.duplicate());
        }
        return tensor;
    }

    /** Returns a copy of the raw little-endian bytes of a tensor. */
    public static ByteBuffer bytes(Tensor tensor) {
        try (Scope scope = new Scope()) {
            Tensor dense = tensor.detach().contiguous();
            ByteBuffer copy = ByteBuffer.allocate(Math.toIntExact(dense.nbytes()));
            if (copy.capacity() > 0) {
                copy.put(new BytePointer(dense.data_ptr())
                        .capacity(dense.nbytes())
                        .asByteBuffer());
            }
            return copy.flip();
        }
    }

    /** Returns the memory of a contiguous tensor as raw little-endian bytes, to be read while the tensor lives. */
    public static ByteBuffer memory(Tensor tensor) {
        if (!tensor.is_contiguous()) {
            throw new IllegalArgumentException("the tensor's values don't stand one after another");
        }
        long size = tensor.nbytes();
        return size == 0
                ? ByteBuffer.allocate(0)
                : new BytePointer(tensor.data_ptr()).capacity(size).asByteBuffer();
    }

    /** The values of a tensor of any floating type, row-major. */
    public static float[] floats(Tensor tensor) {
        try (Scope scope = new Scope()) {
            boolean asItIs = tensor.scalar_type().value == ScalarType.Float.value && tensor.is_contiguous();
            Tensor dense =
                    asItIs ? tensor : tensor.detach().to(ScalarType.Float).contiguous();
            float[] values = new float[Math.toIntExact(dense.numel())];
            if (values.length > 0) {
                new FloatPointer(dense.data_ptr()).get(values);
            }
            return values;
        }
    }

    /** The values of a tensor of any floating type, row-major. */
    public static double[] doubles(Tensor tensor) {
        try (Scope scope = new Scope()) {
            Tensor dense = tensor.detach().to(ScalarType.Double).contiguous();
            double[] values = new double[Math.toIntExact(dense.numel())];
            if (values.length > 0) {
                new DoublePointer(dense.data_ptr()).get(values);
            }
            return values;
        }
    }

    /** The values of an integer tensor, row-major. */
    public static long[] longs(Tensor tensor) {
        try (Scope scope = new Scope()) {
            Tensor dense = tensor.detach().to(ScalarType.Long).contiguous();
            long[] values = new long[Math.toIntExact(dense.numel())];
            if (values.length > 0) {
                new LongPointer(dense.data_ptr()).get(values);
            }
            return values;
        }
    }

    /** Returns the single value of a tensor without leaving temporary tensors behind. */
    public static double item(Tensor tensor) {
        try (Scope scope = new Scope()) {
            return tensor.detach().item().toDouble();
        }
    }

    /** Overwrites the values of a vector {@code [n]} without recording a gradient. */
    public static void fill(Tensor vector, double[] values) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (int i = 0; i < values.length; i++) {
                vector.select(0, i).fill_(new Scalar(values[i]));
            }
        }
    }

    /** The shape of a tensor. */
    public static long[] shape(Tensor tensor) {
        long[] shape = new long[(int) tensor.dim()];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = tensor.size(i);
        }
        return shape;
    }

    /** Allocates an uninitialised tensor of that type and shape. */
    public static Tensor empty(ScalarType type, long... shape) {
        return torch.empty(shape, options(type), ANY_ORDER);
    }

    /** Zeros of that type and shape. */
    public static Tensor zeros(ScalarType type, long... shape) {
        return torch.zeros(shape, options(type));
    }

    /** Ones of that type and shape. */
    public static Tensor ones(ScalarType type, long... shape) {
        return torch.ones(shape, options(type));
    }

    /** 0, 1, …, n - 1 as int64. */
    public static Tensor arange(long n) {
        long[] values = new long[Math.toIntExact(n)];
        Arrays.setAll(values, i -> i);
        return of(values, n);
    }

    /** Wraps tensors for the operations that take a vector of them. */
    public static TensorVector vector(List<Tensor> tensors) {
        return new TensorVector(tensors.toArray(Tensor[]::new));
    }

    /** Returns the number of elements of a shape. */
    public static int count(long... shape) {
        long count = 1;
        for (long size : shape) {
            count = Math.multiplyExact(count, size);
        }
        return Math.toIntExact(count);
    }

    /** Made once for each type: a tensor of a few numbers takes no longer than they do. */
    private static TensorOptions options(ScalarType type) {
        return OPTIONS.computeIfAbsent(type.value, value -> {
            try (TensorOptions none = new TensorOptions();
                    ScalarTypeOptional one = new ScalarTypeOptional(type)) {
                return none.dtype(one).retainReference();
            }
        });
    }

    private static void check(int values, long... shape) {
        if (values != count(shape)) {
            throw new IllegalArgumentException(values + " values do not fill the shape " + Arrays.toString(shape));
        }
    }
}
