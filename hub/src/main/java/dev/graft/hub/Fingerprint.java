package dev.graft.hub;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.Sha256;
import java.io.IOException;
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
            throw new FileAccessException("Cannot read " + file + " to compute its SHA-256", e);
        }
    }

    /**
     * The SHA-256 over the lines {@code <sha256> <file name>\n} of several files in the given order, equal to {@code sha256sum FILES | sha256sum}
     * in their folder. Two equal sets of shards have equal fingerprints in any folder.
     */
    public static String of(List<Path> files) {
        StringBuilder lines = new StringBuilder();
        files.forEach(file -> lines.append(of(file) + "  " + file.getFileName() + "\n"));
        return Sha256.of(lines.toString());
    }
}
