package dev.graft.tensor;

import java.nio.ByteBuffer;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Where stored values wait to become a tensor of another type: the same memory for one tensor after another, all on one thread. */
public final class Staging implements AutoCloseable {
    private @Nullable Tensor memory;
    private ByteBuffer bytes = ByteBuffer.allocate(0);
    private long address;

    /**
     * A tensor of values that are stored in that type or in another one.
     *
     * @param read writes the values as they are stored; the buffer may have room for more
     */
    public Tensor tensor(ScalarType stored, ScalarType type, Consumer<ByteBuffer> read, long... shape) {
        int count = Tensors.count(shape);
        if (count == 0 || stored.value == type.value || !Kernels.takes(stored) || !Kernels.takes(type)) {
            try (Scope scope = new Scope()) {
                Tensor values = Tensors.empty(stored, shape);
                read.accept(Tensors.buffer(values));
                return scope.keep(Ops.to(values, type));
            }
        }
        reserve(count);
        read.accept(bytes.clear());
        Tensor values = Tensors.empty(type, shape);
        Kernels.cast(address, Kernels.flag(stored), Kernels.at(values), count, 1);
        Kernels.keep(memory, values);
        return values;
    }

    /** Room for so many values of the larger type. */
    private void reserve(int count) {
        if (memory == null || bytes.capacity() < (long) count * Float.BYTES) {
            close();
            try (Scope scope = new Scope()) {
                memory = scope.release(Tensors.empty(ScalarType.Float, count));
            }
            bytes = Tensors.buffer(memory);
            address = Kernels.at(memory);
        }
    }

    @Override
    public void close() {
        if (memory != null) {
            memory.close();
            memory = null;
        }
    }
}
