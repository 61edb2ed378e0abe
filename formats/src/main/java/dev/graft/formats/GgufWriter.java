package dev.graft.formats;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Writes GGUF files, version 3, with tensors in F32, F16 or BF16.
 *
 * <pre>{@code
 * GgufWriter.write(file, Map.of("general.architecture", "llama", "llama.block_count", 30), tensors);
 * }</pre>
 *
 * <p>Fields may be strings, booleans, {@code Integer} (u32), {@code Long} (u64), {@code Float}, and lists of strings, {@code int[]} (i32) and
 * {@code float[]}. Source: {@code docs/gguf.md} of ggml-org/ggml.
 */
public final class GgufWriter {
    private static final int MAGIC = 0x46554747;
    private static final int VERSION = 3;
    private static final int ALIGNMENT = 32;
    private static final int MAX_NAME_BYTES = 63;

    private final ByteArrayOutputStream header = new ByteArrayOutputStream();

    private GgufWriter() {}

    /**
     * Replaces or creates a file.
     *
     * @param tensors with row-major shapes; the file has them reversed
     * @throws IllegalArgumentException if a field or a tensor has an unsupported type, or a name occurs twice
     */
    public static void write(Path file, Map<String, Object> fields, List<TensorData> tensors) {
        GgufWriter writer = new GgufWriter();
        byte[] head = writer.head(fields, tensors);
        AtomicWrite.file(file, out -> {
            writeFully(out, ByteBuffer.wrap(head));
            for (TensorData tensor : tensors) {
                writeFully(out, tensor.bytes());
                writeFully(out, ByteBuffer.allocate(padding(tensor.info().bytes())));
            }
        });
    }

    private static void writeFully(WritableByteChannel out, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            out.write(bytes);
        }
    }

    private byte[] head(Map<String, Object> fields, List<TensorData> tensors) {
        int32(MAGIC);
        int32(VERSION);
        int64(tensors.size());
        int64(fields.size());
        fields.forEach((key, value) -> {
            string(key);
            value(key, value);
        });
        Set<String> names = new HashSet<>();
        long offset = 0;
        for (TensorData tensor : tensors) {
            TensorInfo info = tensor.info();
            if (!names.add(info.name())) {
                throw new IllegalArgumentException("two tensors are called " + info.name());
            }
            if (info.name().getBytes(StandardCharsets.UTF_8).length > MAX_NAME_BYTES) {
                throw new IllegalArgumentException(info.name() + " is longer than " + MAX_NAME_BYTES + " bytes");
            }
            string(info.name());
            int32(info.rank());
            for (int i = info.rank() - 1; i >= 0; i--) {
                int64(info.shape()[i]);
            }
            int32(type(info).id());
            int64(offset);
            offset += info.bytes() + padding(info.bytes());
        }
        header.writeBytes(new byte[padding(header.size())]);
        return header.toByteArray();
    }

    private static int padding(long bytes) {
        return (int) ((ALIGNMENT - bytes % ALIGNMENT) % ALIGNMENT);
    }

    private static GgmlType type(TensorInfo info) {
        return switch (info.dtype()) {
            case F32 -> GgmlType.F32;
            case F16 -> GgmlType.F16;
            case BF16 -> GgmlType.BF16;
            default -> throw new IllegalArgumentException(info + ": only F32, F16 and BF16 are written");
        };
    }

    private void value(String key, Object value) {
        if (value instanceof Integer number) {
            int32(4);
            int32(number);
        } else if (value instanceof Float number) {
            int32(6);
            int32(Float.floatToIntBits(number));
        } else if (value instanceof Boolean flag) {
            int32(7);
            header.write(flag ? 1 : 0);
        } else if (value instanceof String text) {
            int32(8);
            string(text);
        } else if (value instanceof Long number) {
            int32(10);
            int64(number);
        } else if (value instanceof int[] numbers) {
            array(5, numbers.length);
            for (int number : numbers) {
                int32(number);
            }
        } else if (value instanceof float[] numbers) {
            array(6, numbers.length);
            for (float number : numbers) {
                int32(Float.floatToIntBits(number));
            }
        } else if (value instanceof List<?> texts) {
            array(8, texts.size());
            for (Object text : texts) {
                string((String) text);
            }
        } else {
            throw new IllegalArgumentException(key + " has the type " + value.getClass() + ", which isn't written");
        }
    }

    private void array(int type, int count) {
        int32(9);
        int32(type);
        int64(count);
    }

    private void string(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        int64(bytes.length);
        header.writeBytes(bytes);
    }

    private void int32(int value) {
        header.writeBytes(ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array());
    }

    private void int64(long value) {
        header.writeBytes(ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .array());
    }
}
