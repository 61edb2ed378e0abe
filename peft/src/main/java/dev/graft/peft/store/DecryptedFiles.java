package dev.graft.peft.store;

import dev.graft.formats.FileAccessException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.SortedMap;
import java.util.function.Function;

/**
 * Temporary decrypted files, since tensors are read from files. They are in {@code /dev/shm}, which is memory, if it exists, else in the system's
 * folder for temporary files. Only this user can read them, and they are removed after reading.
 */
final class DecryptedFiles {
    private static final Path SHARED_MEMORY = Path.of("/dev/shm");

    private DecryptedFiles() {}

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
            throw new FileAccessException("cannot use a temporary folder", e);
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
