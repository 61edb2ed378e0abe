package dev.graft.tensor.ops;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.kernels.Kernels;
import dev.graft.tensor.internal.kernels.Operand;
import java.nio.ByteBuffer;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Memory in which stored values are converted to a tensor of another type, reused for one tensor after another. Used by one thread.
 */
public final class StagingBuffer implements AutoCloseable {
    private @Nullable Tensor memory;
    private ByteBuffer bytes = ByteBuffer.allocate(0);

    /**
     * Returns a tensor of values that are stored in that type or in another one.
     *
     * @param stored the type of the stored values
     * @param type the type of the tensor
     * @param read writes the stored values to a buffer, which may be larger than they are
     */
    public Tensor tensor(ScalarType stored, ScalarType type, Consumer<ByteBuffer> read, long... shape) {
        int count = Tensors.count(shape);
        if (count == 0 || stored.value == type.value || !Kernels.supports(stored) || !Kernels.supports(type)) {
            try (Scope scope = new Scope()) {
                Tensor values = Tensors.empty(stored, shape);
                read.accept(Tensors.buffer(values));
                return scope.keep(Ops.to(values, type));
            }
        }
        Tensor room = reserve(count);
        read.accept(bytes.clear());
        Tensor values = Tensors.empty(type, shape);
        FusedOps.cast(Operand.room("the buffer", room, stored, count * (long) Float.BYTES), values, 1);
        return values;
    }

    /** Room for so many values of the larger type. */
    private Tensor reserve(int count) {
        Tensor room = memory;
        if (room == null || bytes.capacity() < (long) count * Float.BYTES) {
            close();
            try (Scope scope = new Scope()) {
                room = scope.release(Tensors.empty(ScalarType.Float, count));
            }
            memory = room;
            bytes = Tensors.buffer(room);
        }
        return room;
    }

    @Override
    public void close() {
        if (memory != null) {
            memory.close();
            memory = null;
        }
    }
}
