package dev.graft.formats;

import dev.graft.formats.internal.ProtoReader;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A {@code TensorProto}. Source: {@code onnx.proto} of onnx/onnx.
 *
 * @param type the number of the ONNX type
 * @param offset the place of the raw values in the model's file, -1 where they had to be decoded
 * @param data {@code null} where {@code type} has no {@link DType}
 */
record OnnxTensor(
        String name, int type, long offset, @Nullable TensorData data) {

    private static final int MAX_RANK = 64;

    /** An initialiser, which must have a name. */
    static OnnxTensor read(ProtoReader in) throws ProtoReader.Malformed {
        OnnxTensor tensor = readUnnamed(in);
        if (tensor.name.isEmpty()) {
            throw new ProtoReader.Malformed("an initialiser without a name");
        }
        return tensor;
    }

    /** The value of an attribute, which may have no name. */
    static OnnxTensor readUnnamed(ProtoReader in) throws ProtoReader.Malformed {
        String name = "";
        int type = 0;
        List<Long> dims = new ArrayList<>();
        ByteBuffer raw = null;
        long offset = -1;
        boolean external = false;
        TypedValues values = new TypedValues();
        while (in.next()) {
            switch (in.field()) {
                case 1 -> integers(in, dims);
                case 2 -> {
                    in.require(ProtoReader.VARINT);
                    type = (int) in.varint();
                }
                case 4, 5, 7, 10 -> values.read(in);
                case 8 -> name = in.string();
                case 9 -> {
                    raw = in.bytes();
                    offset = in.offset();
                }
                case 13 -> {
                    external = true;
                    in.skip();
                }
                case 14 -> {
                    in.require(ProtoReader.VARINT);
                    external |= in.varint() != 0;
                }
                default -> in.skip();
            }
        }
        if (external) {
            throw new ProtoReader.Malformed("the data of initialiser " + name
                    + " is in another file (external data), which is not read; save the model in one file");
        }
        DType dtype = dtype(type);
        return new OnnxTensor(name, type, offset, dtype == null ? null : data(name, dtype, dims, raw, values));
    }

    private static TensorData data(
            String name, DType dtype, List<Long> dims, @Nullable ByteBuffer raw, TypedValues values)
            throws ProtoReader.Malformed {
        TensorInfo info;
        try {
            info = new TensorInfo(
                    name, dtype, dims.stream().mapToLong(Long::longValue).toArray());
        } catch (ArithmeticException | IllegalArgumentException e) {
            throw new ProtoReader.Malformed(String.valueOf(e.getMessage()));
        }
        ByteBuffer typed = values.bytes(name, dtype);
        if (raw != null && typed.hasRemaining()) {
            throw new ProtoReader.Malformed("initialiser " + name + " has its data twice");
        }
        ByteBuffer bytes = raw == null ? typed : raw;
        if (bytes.remaining() != info.bytes()) {
            throw new ProtoReader.Malformed(
                    "initialiser " + info + " needs " + info.bytes() + " bytes, the file holds " + bytes.remaining());
        }
        return new TensorData(info, bytes);
    }

    private static void integers(ProtoReader in, List<Long> into) throws ProtoReader.Malformed {
        if (in.wireType() == ProtoReader.BYTES) {
            ProtoReader packed = in.message();
            while (packed.hasRemaining() && into.size() <= MAX_RANK) {
                into.add(packed.varint());
            }
        } else {
            in.require(ProtoReader.VARINT);
            into.add(in.varint());
        }
        if (into.size() > MAX_RANK) {
            throw new ProtoReader.Malformed("an initialiser with more than " + MAX_RANK + " dimensions");
        }
    }

    private static @Nullable DType dtype(int type) {
        return switch (type) {
            case 1 -> DType.F32;
            case 2 -> DType.U8;
            case 3 -> DType.I8;
            case 5 -> DType.I16;
            case 6 -> DType.I32;
            case 7 -> DType.I64;
            case 9 -> DType.BOOL;
            case 10 -> DType.F16;
            case 11 -> DType.F64;
            case 16 -> DType.BF16;
            case 17 -> DType.F8_E4M3;
            case 19 -> DType.F8_E5M2;
            default -> null;
        };
    }

    /** The fields float_data (4), int32_data (5), int64_data (7) and double_data (10), as little-endian bytes of their own width. */
    private static final class TypedValues {

        private int field;
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        void read(ProtoReader in) throws ProtoReader.Malformed {
            if (field != 0 && field != in.field()) {
                throw new ProtoReader.Malformed("an initialiser with values of two types");
            }
            field = in.field();
            if (in.wireType() == ProtoReader.BYTES) {
                ProtoReader packed = in.message();
                while (packed.hasRemaining()) {
                    one(packed);
                }
            } else {
                in.require(field == 4 ? ProtoReader.FIXED32 : field == 10 ? ProtoReader.FIXED64 : ProtoReader.VARINT);
                one(in);
            }
        }

        private void one(ProtoReader in) throws ProtoReader.Malformed {
            switch (field) {
                case 4 -> put(in.fixed32(), 4);
                case 5 -> {
                    long value = in.varint();
                    if (value != (int) value) {
                        throw new ProtoReader.Malformed("int32_data holds " + value);
                    }
                    put(value, 4);
                }
                case 7 -> put(in.varint(), 8);
                default -> put(in.fixed64(), 8);
            }
        }

        private void put(long value, int count) {
            for (int i = 0; i < count; i++) {
                bytes.write((int) (value >>> 8 * i));
            }
        }

        ByteBuffer bytes(String name, DType dtype) throws ProtoReader.Malformed {
            ByteBuffer values = ByteBuffer.wrap(bytes.toByteArray()).order(ByteOrder.LITTLE_ENDIAN);
            if (field == 0) {
                return values;
            }
            int expected = switch (dtype) {
                case F32 -> 4;
                case I64 -> 7;
                case F64 -> 10;
                default -> 5;
            };
            if (field != expected) {
                throw new ProtoReader.Malformed("initialiser " + name + " of type " + dtype
                        + " has its values in field " + field + ", expected " + expected);
            }
            return field == 5 ? narrow(name, values, dtype) : values;
        }

        /** Small types are stored as int32, float16 and its like by their bits. */
        private static ByteBuffer narrow(String name, ByteBuffer values, DType dtype) throws ProtoReader.Malformed {
            int count = values.remaining() / 4;
            ByteBuffer narrowed = ByteBuffer.allocate(count * dtype.bytes()).order(ByteOrder.LITTLE_ENDIAN);
            long min = switch (dtype) {
                case I8 -> Byte.MIN_VALUE;
                case I16 -> Short.MIN_VALUE;
                case I32 -> Integer.MIN_VALUE;
                default -> 0;
            };
            long max = dtype == DType.BOOL ? 1 : min + (1L << 8 * dtype.bytes()) - 1;
            for (int i = 0; i < count; i++) {
                int value = values.getInt(4 * i);
                if (value < min || value > max) {
                    throw new ProtoReader.Malformed("initialiser " + name + " of type " + dtype + " holds " + value);
                }
                switch (dtype.bytes()) {
                    case 1 -> narrowed.put((byte) value);
                    case 2 -> narrowed.putShort((short) value);
                    default -> narrowed.putInt(value);
                }
            }
            return narrowed.flip();
        }
    }
}
