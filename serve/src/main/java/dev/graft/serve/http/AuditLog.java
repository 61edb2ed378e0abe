package dev.graft.serve.http;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A log with a line of JSON for each request, without its content. */
public final class AuditLog implements AutoCloseable {
    private final FileChannel file;

    /**
     * Opens a file to append to.
     *
     * @throws InputException if it can't be opened
     */
    public AuditLog(Path path) {
        try {
            file = FileChannel.open(
                    path, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.APPEND);
        } catch (IOException unwritable) {
            throw new InputException(path + ": the audit log can't be written: " + unwritable.getMessage());
        }
    }

    synchronized void write(
            @Nullable String key,
            String address,
            String method,
            String path,
            @Nullable String model,
            @Nullable String adapter,
            int status,
            long nanos) {
        ObjectNode line = JsonNodeFactory.instance.objectNode();
        line.put("time", Instant.now().toString());
        line.put("key", key);
        line.put("address", address);
        line.put("method", method);
        line.put("path", path);
        line.put("model", model);
        line.put("adapter", adapter);
        line.put("status", status);
        line.put("milliseconds", nanos / 1_000_000);
        try {
            ByteBuffer bytes = ByteBuffer.wrap((Json.compact(line) + "\n").getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                file.write(bytes);
            }
        } catch (IOException full) {
            throw new UncheckedIOException("the audit log can't be written", full);
        }
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
