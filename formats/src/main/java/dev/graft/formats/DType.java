package dev.graft.formats;

import dev.graft.formats.internal.SmallFloats;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.stream.Collectors;

/** Element types of stored tensors, under their safetensors names. */
public enum DType {
    F64(8),
    F32(4),
    F16(2),
    BF16(2),
    I64(8),
    I32(4),
    I16(2),
    I8(1),
    U32(4),
    U8(1),
    /** One byte, 0 or 1. */
    BOOL(1),
    /** Four exponent and three mantissa bits, no infinities (the {@code fn} form). */
    F8_E4M3(1),
    /** Five exponent and two mantissa bits. */
    F8_E5M2(1);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /** Size of one element in bytes. */
    public int bytes() {
        return bytes;
    }

    public boolean isFloat() {
        return switch (this) {
            case F64, F32, F16, BF16, F8_E4M3, F8_E5M2 -> true;
            default -> false;
        };
    }

    /**
     * Returns the type of this safetensors name.
     *
     * @throws InputException for any other name
     */
    public static DType of(String name) {
        for (DType type : values()) {
            if (type.name().equals(name)) {
                return type;
            }
        }
        throw new InputException("dtype \"" + name + "\" is not supported, expected one of "
                + Arrays.stream(values()).map(DType::name).collect(Collectors.joining(", ")));
    }

    /**
     * Returns all remaining little-endian elements of a buffer as float32, rounded to nearest where the type is wider.
     */
    public float[] toFloats(ByteBuffer source) {
        float[] result = new float[source.remaining() / bytes];
        toFloats(source, result, 0);
        return result;
    }

    /**
     * Converts like {@link #toFloats(ByteBuffer)}, into {@code target} from {@code offset} on. The buffer's position
     * does not move.
     */
    public void toFloats(ByteBuffer source, float[] target, int offset) {
        if (source.remaining() % bytes != 0) {
            throw new IllegalArgumentException(
                    source.remaining() + " bytes are not a whole number of " + this + " elements");
        }
        int count = source.remaining() / bytes;
        if (offset < 0 || target.length - offset < count) {
            throw new IndexOutOfBoundsException(
                    count + " elements at offset " + offset + " do not fit into " + target.length);
        }
        ByteBuffer in = source.slice().order(ByteOrder.LITTLE_ENDIAN);
        switch (this) {
            case F32 -> in.asFloatBuffer().get(target, offset, count);
            case F64 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = (float) in.getDouble(8 * i);
                }
            }
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = SmallFloats.fromFloat16(in.getShort(2 * i));
                }
            }
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = Float.intBitsToFloat(in.getShort(2 * i) << 16);
                }
            }
            case F8_E4M3 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = SmallFloats.fromFloat8E4M3(in.get(i));
                }
            }
            case F8_E5M2 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = SmallFloats.fromFloat8E5M2(in.get(i));
                }
            }
            case I64 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = in.getLong(8 * i);
                }
            }
            case I32 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = in.getInt(4 * i);
                }
            }
            case I16 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = in.getShort(2 * i);
                }
            }
            case I8 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = in.get(i);
                }
            }
            case U32 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = Integer.toUnsignedLong(in.getInt(4 * i));
                }
            }
            case U8, BOOL -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = in.get(i) & 0xff;
                }
            }
        }
    }

    /**
     * Returns the values in this floating point type, little endian, rounded to nearest even. Values that are too large become infinite, or NaN
     * in {@link #F8_E4M3}, which has no infinity.
     *
     * @throws IllegalArgumentException for integer types
     */
    public ByteBuffer fromFloats(float[] values) {
        ByteBuffer out =
                ByteBuffer.allocate(Math.multiplyExact(values.length, bytes)).order(ByteOrder.LITTLE_ENDIAN);
        switch (this) {
            case F32 -> out.asFloatBuffer().put(values);
            case F64 -> {
                for (float value : values) {
                    out.putDouble(value);
                }
            }
            case F16 -> {
                for (float value : values) {
                    out.putShort(SmallFloats.toFloat16(value));
                }
            }
            case BF16 -> {
                for (float value : values) {
                    out.putShort(SmallFloats.toBfloat16(value));
                }
            }
            case F8_E4M3 -> {
                for (float value : values) {
                    out.put(SmallFloats.toFloat8E4M3(value));
                }
            }
            case F8_E5M2 -> {
                for (float value : values) {
                    out.put(SmallFloats.toFloat8E5M2(value));
                }
            }
            default -> throw new IllegalArgumentException(this + " is not a floating point type");
        }
        return out.rewind();
    }
}
