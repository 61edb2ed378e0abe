package dev.graft.formats;

import dev.graft.formats.internal.FileOperations;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * Writes files and folders that appear whole or not at all. They are written beside their place, forced to disk, then renamed over it. When
 * writing fails (disk full, an exception of the caller), the temporary is removed and the previous content stays.
 *
 * <pre>{@code
 * AtomicWrite.folder(Path.of("out/adapter"), folder -> {
 *     AtomicWrite.text(folder.resolve("adapter_config.json"), config);
 *     Safetensors.write(folder.resolve("adapter_model.safetensors"), tensors, Map.of("format", "pt"));
 * });
 * }</pre>
 */
public final class AtomicWrite {

    private AtomicWrite() {}

    /**
     * Writes the content of a file. {@code java.nio.channels.Channels.newOutputStream} turns the channel into a stream.
     */
    @FunctionalInterface
    public interface FileBody {
        void write(WritableByteChannel out) throws IOException;
    }

    /** Fills an empty folder. */
    @FunctionalInterface
    public interface FolderBody {
        void write(Path folder) throws IOException;
    }

    /**
     * Replaces or creates a file, with its missing parent folders. It follows a symbolic link, so the file that the link names changes.
     *
     * @throws UncheckedIOException with the file's name, if it cannot be written
     */
    public static void file(Path file, FileBody body) {
        boolean inPlace = false;
        try {
            Path target = resolve(file);
            Path temporary = temporary(target);
            try {
                FileOperations.write(temporary, body::write);
                FileOperations.rename(temporary, target);
                inPlace = true;
            } finally {
                FileOperations.deleteTree(temporary);
            }
            FileOperations.force(parent(target));
        } catch (IOException e) {
            throw failed(file, inPlace, e);
        }
    }

    /** Replaces or creates a file with these bytes; see {@link #file}. */
    public static void bytes(Path file, byte[] content) {
        file(file, out -> {
            ByteBuffer buffer = ByteBuffer.wrap(content);
            while (buffer.hasRemaining()) {
                out.write(buffer);
            }
        });
    }

    /** Replaces or creates a file with this text in UTF-8; see {@link #file}. */
    public static void text(Path file, String content) {
        bytes(file, content.getBytes(StandardCharsets.UTF_8));
    }

    /**
     * Replaces or creates a folder with everything in it. No single step of the system swaps two folders, so an existing one is first renamed to
     * {@code .<name>.old} and removed at the end. A process killed exactly between the two renames leaves only that folder. {@link #recover},
     * which every reader of these folders calls first, restores it.
     *
     * @throws UncheckedIOException with the folder's name, if it cannot be written
     */
    public static void folder(Path folder, FolderBody body) {
        boolean inPlace = false;
        try {
            recover(folder);
            Path target = resolve(folder);
            Path old = old(target);
            Path temporary = temporary(target);
            try {
                FileOperations.createFolder(temporary);
                body.write(temporary);
                FileOperations.forceTree(temporary);
                replaceFolder(temporary, target, old);
                inPlace = true;
            } finally {
                FileOperations.deleteTree(temporary);
            }
            FileOperations.force(parent(target));
            FileOperations.deleteTree(old);
        } catch (IOException e) {
            throw failed(folder, inPlace, e);
        }
    }

    private static void replaceFolder(Path temporary, Path target, Path old) throws IOException {
        FileOperations.deleteTree(old);
        if (!Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
            FileOperations.rename(temporary, target);
            return;
        }
        FileOperations.rename(target, old);
        try {
            FileOperations.rename(temporary, target);
        } catch (IOException e) {
            FileOperations.rename(old, target);
            throw e;
        }
    }

    /**
     * Restores the previous version of a folder if {@link #folder} was killed between its two renames. Does nothing otherwise, so readers call it
     * before they look.
     */
    public static void recover(Path folder) {
        try {
            Path target = resolve(folder);
            Path old = old(target);
            if (!Files.exists(target, LinkOption.NOFOLLOW_LINKS) && Files.isDirectory(old)) {
                FileOperations.rename(old, target);
                FileOperations.force(parent(target));
            }
        } catch (IOException e) {
            throw new FileAccessException("cannot restore " + folder, e);
        }
    }

    /**
     * Removes a file or a folder with its content. The path exists whole or not at all, even if the process is killed meanwhile. A missing path
     * is no error.
     */
    public static void delete(Path path) {
        try {
            Path target = path.toAbsolutePath().normalize();
            if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
                Path temporary = temporary(target);
                FileOperations.rename(target, temporary);
                FileOperations.force(parent(target));
                FileOperations.deleteTree(temporary);
            }
        } catch (IOException e) {
            throw new FileAccessException("cannot remove " + path, e);
        }
    }

    private static Path resolve(Path path) throws IOException {
        return Files.isSymbolicLink(path)
                ? path.toRealPath()
                : path.toAbsolutePath().normalize();
    }

    private static Path parent(Path target) throws IOException {
        Path parent = target.getParent();
        if (parent == null) {
            throw new IOException("it is the root folder");
        }
        return parent;
    }

    private static Path old(Path target) {
        return target.resolveSibling("." + target.getFileName() + ".old");
    }

    /** A fresh name beside the target; what killed processes left under such names is removed. */
    private static Path temporary(Path target) throws IOException {
        Path parent = parent(target);
        Files.createDirectories(parent);
        String prefix = "." + target.getFileName() + ".tmp-";
        try (Stream<Path> siblings = Files.list(parent)) {
            List<Path> leftovers = siblings.filter(
                            sibling -> isLeftover(sibling.getFileName().toString(), prefix))
                    .toList();
            for (Path leftover : leftovers) {
                FileOperations.deleteTree(leftover);
            }
        }
        return parent.resolve(prefix + ProcessHandle.current().pid() + "-" + System.nanoTime());
    }

    private static boolean isLeftover(String name, String prefix) {
        if (!name.startsWith(prefix)) {
            return false;
        }
        String[] parts = name.substring(prefix.length()).split("-");
        if (parts.length != 2 || !parts[0].matches("[0-9]{1,18}") || !parts[1].matches("[0-9]{1,19}")) {
            return false;
        }
        return ProcessHandle.of(Long.parseLong(parts[0])).isEmpty();
    }

    private static UncheckedIOException failed(Path path, boolean inPlace, IOException e) {
        String state = inPlace
                ? "the new version is in place, but may be lost if the machine fails now"
                : "nothing was changed";
        return new UncheckedIOException(
                "cannot write " + path + ": " + FileAccessException.reason(e) + "; " + state, e);
    }
}
