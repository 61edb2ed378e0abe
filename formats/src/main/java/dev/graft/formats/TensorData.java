package dev.graft.formats;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A tensor with its values.
 *
 * @param bytes row-major, little endian; all of the buffer's remaining bytes, exactly {@code info.bytes()} many
 */
public record TensorData(TensorInfo info, ByteBuffer bytes) {

    public TensorData {
        bytes = bytes.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.remaining() != info.bytes()) {
            throw new IllegalArgumentException(
                    info + " needs " + info.bytes() + " bytes, " + bytes.remaining() + " were given");
        }
    }

    /** Creates an F32 tensor of these values, row-major. */
    public static TensorData of(String name, float[] values, long... shape) {
        ByteBuffer bytes =
                ByteBuffer.allocate(Math.multiplyExact(4, values.length)).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values);
        return new TensorData(new TensorInfo(name, DType.F32, shape), bytes);
    }

    /** The values as float32, rounded where the type is wider. */
    public float[] floats() {
        return info.dtype().toFloats(bytes);
    }

    @Override
    public ByteBuffer bytes() {
        return bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    }
}
