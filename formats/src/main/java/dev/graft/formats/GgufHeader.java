package dev.graft.formats;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The header of a GGUF file. Source: {@code docs/gguf.md} of ggml-org/ggml and {@code gguf.cpp} of ggml-org/llama.cpp.
 *
 * @param tensors by name, in the order of their data
 */
record GgufHeader(int version, Map<String, Object> fields, Map<String, TensorEntry> tensors) {

    private static final int MAGIC = 0x46554747;
    private static final int MAX_ENTRIES = 1 << 20;
    private static final int MAX_ARRAY = 1 << 26;
    private static final int MAX_KEY_BYTES = 65_535;
    private static final int MAX_NAME_BYTES = 63;
    private static final int MAX_RANK = 4;
    private static final String ALIGNMENT = "general.alignment";

    /**
     * The place of a tensor's data.
     *
     * @param shape row-major, outermost first; the file has the reverse order
     * @param start the first byte, counted from the start of the file
     */
    record TensorEntry(String name, GgmlType type, long[] shape, long start, long bytes) {}

    /** Reads and checks everything before the data. */
    static GgufHeader read(MappedFile file) {
        ByteCursor in = new ByteCursor(file);
        if (in.int32("the magic number") != MAGIC) {
            throw in.error("does not start with GGUF; this is not a GGUF file");
        }
        int version = in.int32("the version");
        if (version < 2 || version > 3) {
            boolean bigEndian = Integer.reverseBytes(version) > 0 && Integer.reverseBytes(version) <= 3;
            throw in.error(
                    bigEndian
                            ? "the file is big endian; only little-endian GGUF is read"
                            : "GGUF version " + Integer.toUnsignedString(version) + ", expected 2 or 3");
        }
        int tensorCount = in.count(in.int64("the number of tensors"), 24, MAX_ENTRIES, "number of tensors");
        int fieldCount = in.count(in.int64("the number of keys"), 13, MAX_ENTRIES, "number of keys");
        Map<String, Object> fields = fields(in, fieldCount);
        return new GgufHeader(
                version, Collections.unmodifiableMap(fields), tensors(in, file, tensorCount, alignment(in, fields)));
    }

    private static Map<String, Object> fields(ByteCursor in, int count) {
        Map<String, Object> fields = new LinkedHashMap<>();
        for (int i = 0; i < count; i++) {
            String key = in.string(MAX_KEY_BYTES, "key " + i);
            if (key.isEmpty()) {
                throw in.error("key " + i + " is empty");
            }
            int type = in.int32("type of " + key);
            if (key.equals(ALIGNMENT) && type != 4) {
                throw in.error(ALIGNMENT + " has type " + type + ", expected 4 (u32)");
            }
            if (fields.put(key, value(in, key, type)) != null) {
                throw in.error("the key " + key + " appears twice");
            }
        }
        return fields;
    }

    private static int alignment(ByteCursor in, Map<String, Object> fields) {
        long alignment = (Long) fields.getOrDefault(ALIGNMENT, 32L);
        if (Long.bitCount(alignment) != 1 || alignment > 1 << 30) {
            throw in.error(ALIGNMENT + " is " + alignment + ", expected a power of two");
        }
        return (int) alignment;
    }

    private static Object value(ByteCursor in, String key, int type) {
        return switch (type) {
            case 0 -> (long) (in.int8(key) & 0xff);
            case 1 -> (long) in.int8(key);
            case 2 -> (long) (in.int16(key) & 0xffff);
            case 3 -> (long) in.int16(key);
            case 4 -> Integer.toUnsignedLong(in.int32(key));
            case 5 -> (long) in.int32(key);
            case 6 -> Float.intBitsToFloat(in.int32(key));
            case 7 -> bool(in, key);
            case 8 -> in.string(1 << 30, key);
            case 9 -> array(in, key);
            case 10 -> {
                long value = in.int64(key);
                yield value >= 0 ? (Object) value : new BigInteger(Long.toUnsignedString(value));
            }
            case 11 -> in.int64(key);
            case 12 -> Double.longBitsToDouble(in.int64(key));
            default -> throw in.error(key + " has the unknown type " + Integer.toUnsignedString(type));
        };
    }

    private static boolean bool(ByteCursor in, String key) {
        byte value = in.int8(key);
        if (value != 0 && value != 1) {
            throw in.error(key + " is the bool " + value + ", expected 0 or 1");
        }
        return value == 1;
    }

    private static Object array(ByteCursor in, String key) {
        int type = in.int32("element type of " + key);
        int bytesEach = switch (type) {
            case 0, 1, 7 -> 1;
            case 2, 3 -> 2;
            case 4, 5, 6 -> 4;
            case 8, 10, 11, 12 -> 8;
            default ->
                throw in.error(
                        key + " is an array of type " + Integer.toUnsignedString(type) + ", which is not supported");
        };
        int count = in.count(in.int64("length of " + key), bytesEach, MAX_ARRAY, "length of " + key);
        switch (type) {
            case 6 -> {
                float[] values = new float[count];
                for (int i = 0; i < count; i++) {
                    values[i] = Float.intBitsToFloat(in.int32(key));
                }
                return values;
            }
            case 7 -> {
                boolean[] values = new boolean[count];
                for (int i = 0; i < count; i++) {
                    values[i] = bool(in, key);
                }
                return values;
            }
            case 8 -> {
                List<String> values = new ArrayList<>();
                for (int i = 0; i < count; i++) {
                    values.add(in.string(1 << 30, key + "[" + i + "]"));
                }
                return Collections.unmodifiableList(values);
            }
            case 12 -> {
                double[] values = new double[count];
                for (int i = 0; i < count; i++) {
                    values[i] = Double.longBitsToDouble(in.int64(key));
                }
                return values;
            }
            default -> {
                long[] values = new long[count];
                for (int i = 0; i < count; i++) {
                    if (!(value(in, key, type) instanceof Long small)) {
                        throw in.error(key + "[" + i + "] is larger than 2^63-1");
                    }
                    values[i] = small;
                }
                return values;
            }
        }
    }

    private static Map<String, TensorEntry> tensors(ByteCursor in, MappedFile file, int count, int alignment) {
        List<TensorEntry> relative = new ArrayList<>();
        long end = 0;
        for (int i = 0; i < count; i++) {
            TensorEntry tensor = tensor(in, i);
            if (tensor.start() != end) {
                throw in.error("tensor " + tensor.name() + " has offset " + Long.toUnsignedString(tensor.start())
                        + ", expected " + end);
            }
            if (tensor.bytes() > Long.MAX_VALUE - alignment - end) {
                throw in.error("tensor " + tensor.name() + " ends beyond 2^63-1 bytes");
            }
            end = align(end + tensor.bytes(), alignment);
            relative.add(tensor);
        }
        long dataStart = align(in.position(), alignment);
        Map<String, TensorEntry> tensors = new LinkedHashMap<>();
        for (TensorEntry tensor : relative) {
            if (tensor.bytes() > file.size() - dataStart - tensor.start()) {
                throw in.error("the data of tensor " + tensor.name() + " needs bytes " + (dataStart + tensor.start())
                        + " to " + (dataStart + tensor.start() + tensor.bytes()) + ", the file has " + file.size()
                        + "; it is cut off");
            }
            TensorEntry absolute = new TensorEntry(
                    tensor.name(), tensor.type(), tensor.shape(), dataStart + tensor.start(), tensor.bytes());
            if (tensors.put(tensor.name(), absolute) != null) {
                throw in.error("two tensors are called " + tensor.name());
            }
        }
        return tensors;
    }

    private static TensorEntry tensor(ByteCursor in, int index) {
        String name = in.string(MAX_NAME_BYTES, "name of tensor " + index);
        int rank = in.int32("number of dimensions of " + name);
        if (rank < 0 || rank > MAX_RANK) {
            throw in.error("tensor " + name + " has " + Integer.toUnsignedString(rank)
                    + " dimensions, expected at most " + MAX_RANK);
        }
        long[] shape = new long[rank];
        long elements = 1;
        for (int i = rank - 1; i >= 0; i--) {
            shape[i] = in.int64("shape of " + name);
            if (shape[i] < 0) {
                throw in.error("tensor " + name + " has the negative size " + shape[i]);
            }
            elements = multiply(in, name, elements, shape[i]);
        }
        int id = in.int32("type of " + name);
        GgmlType type = GgmlType.of(id);
        if (type == null) {
            throw in.error("tensor " + name + " has the unknown type " + Integer.toUnsignedString(id));
        }
        long row = rank == 0 ? 1 : shape[rank - 1];
        if (row % type.blockElements() != 0) {
            throw in.error("tensor " + name + " of shape " + Arrays.toString(shape)
                    + " has rows that are not whole blocks of " + type.blockElements() + " elements (" + type + ")");
        }
        multiply(in, name, elements, 8);
        long bytes = multiply(in, name, elements / type.blockElements(), type.blockBytes());
        return new TensorEntry(name, type, shape, in.int64("offset of " + name), bytes);
    }

    private static long multiply(ByteCursor in, String name, long a, long b) {
        if (b != 0 && a > Long.MAX_VALUE / b) {
            throw in.error("tensor " + name + " has more elements or bytes than 63 bits can count");
        }
        return a * b;
    }

    private static long align(long offset, int alignment) {
        return offset + alignment - 1 & -(long) alignment;
    }
}
