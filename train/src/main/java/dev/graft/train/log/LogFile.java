package dev.graft.train.log;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FileAccessException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A text file to which whole lines are appended; it is flushed after each, so that it can be followed. */
final class LogFile implements AutoCloseable {
    private final Path file;
    private final Writer writer;

    /** Opens for appending, and keeps only the existing whole lines that pass the filter. */
    LogFile(Path file, Predicate<String> keep) {
        this.file = file;
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            if (Files.exists(file)) {
                String text = Files.readString(file);
                List<String> whole =
                        text.substring(0, text.lastIndexOf('\n') + 1).lines().toList();
                List<String> kept = whole.stream().filter(keep).toList();
                AtomicWrite.text(file, kept.isEmpty() ? "" : String.join("\n", kept) + "\n");
            }
            writer = Files.newBufferedWriter(
                    file, StandardCharsets.UTF_8, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw failed(e);
        }
    }

    @Nullable
    String firstLine() {
        try (Stream<String> lines = Files.lines(file)) {
            return lines.findFirst().orElse(null);
        } catch (IOException e) {
            throw failed(e);
        }
    }

    void line(String line) {
        try {
            writer.write(line + "\n");
            writer.flush();
        } catch (IOException e) {
            throw failed(e);
        }
    }

    @Override
    public void close() {
        try {
            writer.close();
        } catch (IOException e) {
            throw failed(e);
        }
    }

    @Override
    public String toString() {
        return file.toString();
    }

    private UncheckedIOException failed(IOException e) {
        return new FileAccessException("cannot write the log " + file, e);
    }
}
