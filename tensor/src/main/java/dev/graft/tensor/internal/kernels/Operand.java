package dev.graft.tensor.internal.kernels;

import dev.graft.tensor.TensorException;
import dev.graft.tensor.Tensors;
import java.lang.ref.Reference;
import java.util.Arrays;
import java.util.function.Consumer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Memory that a loop in C++ reads or writes. It is the only way to an address: the type and the sizes that the loop will touch are compared with
 * those of the tensor first, and others are refused with a {@link TensorException}.
 */
public final class Operand {
    private static final ThreadLocal<@Nullable Consumer<Object>> KEEPER = new ThreadLocal<>();

    private final Object owner;
    private final long address;
    private final int bf16;
    private final long[] strides;

    private Operand(Object owner, long address, int bf16, long... strides) {
        this.owner = owner;
        this.address = address;
        this.bf16 = bf16;
        this.strides = strides;
    }

    private static Operand of(Tensor x, ScalarType type, long... strides) {
        if (!Kernels.areAvailable()) {
            throw new TensorException("there are no loops in C++ for this processor");
        }
        return new Operand(x, x.data_ptr().address(), Kernels.bf16Flag(type), strides);
    }

    /** Describes a tensor of that many values, one after another. */
    public static Operand flat(String name, Tensor x, ScalarType type, long values) {
        if (!Kernels.isOf(x, type) || x.numel() != values || !x.is_contiguous()) {
            throw refused(name, x, values + " contiguous values of " + type);
        }
        return of(x, type);
    }

    /** Describes a tensor of that many values in fp32 or bf16, one after another. */
    public static Operand values(String name, Tensor x, long values) {
        return flat(name, x, Kernels.isFloat(x) ? ScalarType.Float : ScalarType.BFloat16, values);
    }

    /** Describes a tensor of those sizes. Values of its last dimension lie one after another, others by {@link #stride}. */
    public static Operand strided(String name, Tensor x, ScalarType type, long... sizes) {
        boolean fits = Kernels.isOf(x, type) && x.dim() == sizes.length;
        for (int i = 0; fits && i < sizes.length; i++) {
            fits = x.size(i) == sizes[i];
        }
        int last = sizes.length - 1;
        if (!fits || sizes[last] > 1 && x.stride(last) != 1) {
            throw refused(name, x, type + " " + Arrays.toString(sizes) + " with adjacent values in the last dimension");
        }
        long[] strides = new long[last];
        for (int i = 0; i < last; i++) {
            strides[i] = x.stride(i);
        }
        return of(x, type, strides);
    }

    /** Describes bf16 matrices in a layout that {@link MatrixLayout#of} has read from them. */
    public static Operand matrices(String name, Tensor x, ScalarType type, MatrixLayout layout) {
        if (!Kernels.isOf(x, type) || !layout.isDense() || !layout.equals(MatrixLayout.of(x))) {
            throw refused(name, x, type + " matrices in " + layout);
        }
        return of(x, type);
    }

    /** Describes contiguous memory of any type with at least so many bytes. */
    public static Operand room(String name, Tensor x, ScalarType type, long bytes) {
        if (!x.is_contiguous() || x.nbytes() < bytes) {
            throw refused(name, x, "at least " + bytes + " contiguous bytes");
        }
        return of(x, type);
    }

    /** Describes numbers from one of them on. */
    public static Operand numbers(String name, LongPointer all, long first, long count) {
        if (first < 0 || count < 0 || first + count > all.capacity()) {
            throw new TensorException(
                    name + " has " + all.capacity() + " numbers, expected " + count + " from " + first + " on");
        }
        return new Operand(all, all.address() + first * Long.BYTES, 0);
    }

    private static TensorException refused(String name, Tensor x, String expected) {
        return new TensorException(name + " is " + x.scalar_type() + " " + Arrays.toString(Tensors.shape(x))
                + (x.is_contiguous() ? "" : ", not contiguous") + "; expected " + expected);
    }

    /** Returns the address of the first value; 0 for null. */
    public static long address(@Nullable Operand operand) {
        return operand == null ? 0 : operand.address;
    }

    public long address() {
        return address;
    }

    /** Returns 1 for bf16, 0 for other types. */
    public int bf16() {
        return bf16;
    }

    /** Returns the distance between neighbours in a dimension of {@link #strided}, in values. */
    public long stride(int dimension) {
        return strides[dimension];
    }

    /**
     * Keeps the garbage collector from freeing memory that a loop reads or writes, until this call. While this thread records, it lives as long
     * as the recording.
     *
     * @param operands operands, and objects that own further memory
     */
    public static void keepAlive(@Nullable Object... operands) {
        Consumer<Object> keeper = KEEPER.get();
        for (Object operand : operands) {
            if (operand != null && keeper != null) {
                keeper.accept(operand instanceof Operand its ? its.owner : operand);
            }
            Reference.reachabilityFence(operand);
        }
    }

    /** Passes the tensors and pointers that this thread's loops use from now on to a keeper; null for none. */
    public static void keepWith(@Nullable Consumer<Object> keeper) {
        if (keeper == null) {
            KEEPER.remove();
        } else {
            KEEPER.set(keeper);
        }
    }

    /** Returns whether this thread's loops are being recorded. */
    public static boolean isRecording() {
        return KEEPER.get() != null;
    }
}
