package dev.graft.formats;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** A GGUF file written value by value, rules or not. */
final class GgufBytes {

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    static GgufBytes header(long tensors, long fields) {
        return new GgufBytes().text("GGUF").u32(3).u64(tensors).u64(fields);
    }

    GgufBytes text(String text) {
        out.writeBytes(text.getBytes(StandardCharsets.UTF_8));
        return this;
    }

    GgufBytes u8(int value) {
        out.write(value);
        return this;
    }

    GgufBytes u32(long value) {
        out.writeBytes(ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt((int) value)
                .array());
        return this;
    }

    GgufBytes u64(long value) {
        out.writeBytes(ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .array());
        return this;
    }

    GgufBytes string(String text) {
        return u64(text.getBytes(StandardCharsets.UTF_8).length).text(text);
    }

    GgufBytes fieldU32(String key, long value) {
        return string(key).u32(4).u32(value);
    }

    /** Dimensions in the order of the file. */
    GgufBytes tensor(String name, GgmlType type, long offset, long... dims) {
        string(name).u32(dims.length);
        for (long dim : dims) {
            u64(dim);
        }
        return u32(type.id()).u64(offset);
    }

    GgufBytes pad(int alignment) {
        while (out.size() % alignment != 0) {
            out.write(0);
        }
        return this;
    }

    GgufBytes zeros(int count) {
        out.writeBytes(new byte[count]);
        return this;
    }

    byte[] bytes() {
        return out.toByteArray();
    }
}
