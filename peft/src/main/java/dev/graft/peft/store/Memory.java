package dev.graft.peft.store;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.SortedMap;
import java.util.function.Function;

/**
 * Decrypted files for a moment, since tensors are read from files: in {@code /dev/shm}, which is memory, where the system has it, else in
 * its folder for temporary files; readable by this user alone, and removed when they were read.
 */
final class Memory {
    private static final Path SHARED_MEMORY = Path.of("/dev/shm");

    private Memory() {}

    static <T> T use(SortedMap<String, byte[]> files, Function<Path, T> use) {
        try {
            Path folder = create();
            try {
                for (Map.Entry<String, byte[]> file : files.entrySet()) {
                    Files.write(folder.resolve(file.getKey()), file.getValue());
                }
                return use.apply(folder);
            } finally {
                for (String file : files.keySet()) {
                    Files.deleteIfExists(folder.resolve(file));
                }
                Files.deleteIfExists(folder);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot use a temporary folder: " + e.getMessage(), e);
        }
    }

    private static Path create() throws IOException {
        Path parent = Files.isWritable(SHARED_MEMORY) ? SHARED_MEMORY : Path.of(System.getProperty("java.io.tmpdir"));
        boolean posix = parent.getFileSystem().supportedFileAttributeViews().contains("posix");
        FileAttribute<?>[] own = posix
                ? new FileAttribute<?>[] {
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))
                }
                : new FileAttribute<?>[0];
        return Files.createTempDirectory(parent, "graft-", own);
    }
}
