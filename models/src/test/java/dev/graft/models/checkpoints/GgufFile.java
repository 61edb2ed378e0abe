package dev.graft.models.checkpoints;

import dev.graft.formats.TensorData;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Writes a GGUF file of fp32 tensors, for tests. */
final class GgufFile {
    final Map<String, Object> fields = new LinkedHashMap<>();
    final Map<String, TensorData> tensors = new LinkedHashMap<>();

    void write(Path file) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes("GGUF".getBytes(StandardCharsets.UTF_8));
        integer(out, 3);
        whole(out, tensors.size());
        whole(out, fields.size());
        fields.forEach((key, value) -> {
            text(out, key);
            if (value instanceof Integer number) {
                integer(out, 4);
                integer(out, number);
            } else if (value instanceof Float number) {
                integer(out, 6);
                integer(out, Float.floatToRawIntBits(number));
            } else {
                integer(out, 8);
                text(out, (String) value);
            }
        });
        long offset = 0;
        for (Map.Entry<String, TensorData> tensor : tensors.entrySet()) {
            long[] shape = tensor.getValue().info().shape();
            text(out, tensor.getKey());
            integer(out, shape.length);
            for (int i = shape.length - 1; i >= 0; i--) {
                whole(out, shape[i]);
            }
            integer(out, 0);
            whole(out, offset);
            offset += aligned(tensor.getValue().info().bytes());
        }
        out.writeBytes(new byte[(int) (aligned(out.size()) - out.size())]);
        for (TensorData tensor : tensors.values()) {
            byte[] bytes = new byte[(int) aligned(tensor.info().bytes())];
            tensor.bytes().get(bytes, 0, (int) tensor.info().bytes());
            out.writeBytes(bytes);
        }
        Files.write(file, out.toByteArray());
    }

    private static long aligned(long size) {
        return (size + 31) / 32 * 32;
    }

    private static void text(ByteArrayOutputStream out, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        whole(out, bytes.length);
        out.writeBytes(bytes);
    }

    private static void integer(ByteArrayOutputStream out, int value) {
        out.writeBytes(ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array());
    }

    private static void whole(ByteArrayOutputStream out, long value) {
        out.writeBytes(ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .array());
    }
}
