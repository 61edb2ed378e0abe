package dev.graft.formats;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** A file, or a folder with all that is in it. */
public final class FileTree {
    private FileTree() {}

    /** How many bytes its files have. */
    public static long bytes(Path tree) {
        try (Stream<Path> all = Files.walk(tree)) {
            long bytes = 0;
            for (Path file : all.filter(Files::isRegularFile).toList()) {
                bytes += Files.size(file);
            }
            return bytes;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + tree + ": " + e.getMessage(), e);
        }
    }
}
