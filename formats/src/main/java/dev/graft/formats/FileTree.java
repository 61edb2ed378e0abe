package dev.graft.formats;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** A file, or a folder with all its content. */
public final class FileTree {
    private FileTree() {}

    /** Returns the total size of its files in bytes. */
    public static long bytes(Path tree) {
        try (Stream<Path> all = Files.walk(tree)) {
            long bytes = 0;
            for (Path file : all.filter(Files::isRegularFile).toList()) {
                bytes += Files.size(file);
            }
            return bytes;
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + tree, e);
        }
    }
}
