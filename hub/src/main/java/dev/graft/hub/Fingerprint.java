package dev.graft.hub;

import dev.graft.formats.Sha256;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;

/**
 * SHA-256 of files, as 64 lower-case hexadecimal digits.
 *
 * <pre>{@code String base = Fingerprint.of(List.of(folder.resolve("model.safetensors")));}</pre>
 */
public final class Fingerprint {
    private Fingerprint() {}

    /** The SHA-256 of one file's bytes, as {@code sha256sum} prints it. */
    public static String of(Path file) {
        try {
            return Sha256.of(file);
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot read " + file + " to compute its SHA-256: " + e.getMessage(), e);
        }
    }

    /**
     * One SHA-256 for several files: over the lines {@code <sha256>  <file name>\n} in the given order, which is what
     * {@code sha256sum FILES | sha256sum} gives in their folder. Two equal sets of shards have equal fingerprints wherever they lie.
     */
    public static String of(List<Path> files) {
        StringBuilder lines = new StringBuilder();
        files.forEach(file -> lines.append(of(file) + "  " + file.getFileName() + "\n"));
        return Sha256.of(lines.toString());
    }
}
