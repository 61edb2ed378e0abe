package dev.graft.formats;

import dev.graft.formats.internal.FileSteps;
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
 * Files and folders that appear whole or not at all: written beside their place, forced to disk, then renamed over it. When writing
 * fails (disk full, an exception of the caller) the temporary is removed and what was there before is untouched.
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

    /** Writes the content of a file; {@code java.nio.channels.Channels.newOutputStream} makes it a stream. */
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
     * Replaces or creates a file. Missing parent folders are made. A symbolic link is followed, so that the file it points at changes.
     *
     * @throws UncheckedIOException naming the file, when the disk refuses
     */
    public static void file(Path file, FileBody body) {
        boolean inPlace = false;
        try {
            Path target = resolve(file);
            Path temporary = temporary(target);
            try {
                FileSteps.write(temporary, body::write);
                FileSteps.rename(temporary, target);
                inPlace = true;
            } finally {
                FileSteps.deleteTree(temporary);
            }
            FileSteps.force(parent(target));
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
     * Replaces or creates a folder with everything in it. Where a folder is already in place, the system has no single step that swaps
     * two folders: the old one is first renamed to {@code .<name>.old} and removed at the end. A process killed exactly between the two
     * renames leaves only that; {@link #recover}, which every reader of such folders calls first, puts it back.
     *
     * @throws UncheckedIOException naming the folder, when the disk refuses
     */
    public static void folder(Path folder, FolderBody body) {
        boolean inPlace = false;
        try {
            recover(folder);
            Path target = resolve(folder);
            Path old = old(target);
            Path temporary = temporary(target);
            try {
                FileSteps.createFolder(temporary);
                body.write(temporary);
                FileSteps.forceTree(temporary);
                replaceFolder(temporary, target, old);
                inPlace = true;
            } finally {
                FileSteps.deleteTree(temporary);
            }
            FileSteps.force(parent(target));
            FileSteps.deleteTree(old);
        } catch (IOException e) {
            throw failed(folder, inPlace, e);
        }
    }

    private static void replaceFolder(Path temporary, Path target, Path old) throws IOException {
        FileSteps.deleteTree(old);
        if (!Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
            FileSteps.rename(temporary, target);
            return;
        }
        FileSteps.rename(target, old);
        try {
            FileSteps.rename(temporary, target);
        } catch (IOException e) {
            FileSteps.rename(old, target);
            throw e;
        }
    }

    /**
     * Puts the previous version of a folder back if {@link #folder} was killed between taking it away and putting the new one in its
     * place. Does nothing otherwise, so readers call it before they look.
     */
    public static void recover(Path folder) {
        try {
            Path target = resolve(folder);
            Path old = old(target);
            if (!Files.exists(target, LinkOption.NOFOLLOW_LINKS) && Files.isDirectory(old)) {
                FileSteps.rename(old, target);
                FileSteps.force(parent(target));
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot restore " + folder + ": " + reason(e), e);
        }
    }

    /** Removes a file or a folder with what is in it: it is there whole or gone, whenever the process is killed. Nothing there is fine. */
    public static void delete(Path path) {
        try {
            Path target = path.toAbsolutePath().normalize();
            if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
                Path temporary = temporary(target);
                FileSteps.rename(target, temporary);
                FileSteps.force(parent(target));
                FileSteps.deleteTree(temporary);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot remove " + path + ": " + reason(e), e);
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
                FileSteps.deleteTree(leftover);
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
        return new UncheckedIOException("cannot write " + path + ": " + reason(e) + "; " + state, e);
    }

    private static String reason(IOException e) {
        String type = e.getClass().getSimpleName();
        return type.equals("IOException")
                ? String.valueOf(e.getMessage())
                : type.replace("Exception", "") + " " + e.getMessage();
    }
}
