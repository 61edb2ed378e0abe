package dev.graft.formats;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Reference files and hand-made ones. */
final class Fixtures {

    static final Path ROOT = Path.of("..", "parity", "fixtures");

    private Fixtures() {}

    /** A safetensors file with this header and so many bytes of data. */
    static Path safetensors(Path folder, String header, int dataBytes) {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        return safetensors(folder, json.length, json, dataBytes);
    }

    static Path safetensors(Path folder, long length, byte[] json, int dataBytes) {
        ByteBuffer file = ByteBuffer.allocate(8 + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
        return write(
                folder.resolve("made.safetensors"),
                file.putLong(length).put(json).array());
    }

    static Path write(Path file, byte[] content) {
        try {
            return Files.write(file, content);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static byte[] bytes(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
