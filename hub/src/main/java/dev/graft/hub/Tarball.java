package dev.graft.hub;

import dev.graft.formats.FormatException;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.apache.commons.compress.archivers.ar.ArArchiveEntry;
import org.apache.commons.compress.archivers.ar.ArArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorInputStream;

/**
 * Unpacks tar archives: source packages of Python and packages of npm (gzip), and the data of a Debian package (ar, xz).
 */
final class Tarball {
    private static final byte[] DEBIAN = "!<arch>\n".getBytes(StandardCharsets.US_ASCII);
    private static final int MOST_MEMORY_KIB = 256 << 10;

    private Tarball() {}

    static boolean isGzip(byte[] head) {
        return head.length > 2 && head[0] == 0x1f && head[1] == (byte) 0x8b;
    }

    static boolean isDebian(byte[] head) {
        return Arrays.equals(head, DEBIAN);
    }

    static void unpackGzip(Path archive, Path folder, UnpackBudget budget) throws IOException {
        try (InputStream file = new BufferedInputStream(Files.newInputStream(archive))) {
            guarded(budget, () -> unpack(new GzipCompressorInputStream(file, true), folder, budget));
        }
    }

    static void unpackDebian(Path archive, Path folder, UnpackBudget budget) throws IOException {
        try (InputStream file = new BufferedInputStream(Files.newInputStream(archive))) {
            guarded(budget, () -> unpackDebian(file, folder, budget));
        }
    }

    private static void unpackDebian(InputStream file, Path folder, UnpackBudget budget) throws IOException {
        ArArchiveInputStream parts = new ArArchiveInputStream(file);
        for (ArArchiveEntry part = parts.getNextEntry(); part != null; part = parts.getNextEntry()) {
            switch (part.getName()) {
                case "data.tar.xz" ->
                    unpack(new XZCompressorInputStream(parts, false, MOST_MEMORY_KIB), folder, budget);
                case "data.tar.gz" -> unpack(new GzipCompressorInputStream(parts, false), folder, budget);
                case "data.tar" -> unpack(parts, folder, budget);
                default -> {
                    if (part.getName().startsWith("data.tar")) {
                        throw UnpackBudget.rejected(
                                budget.archive, "its " + part.getName() + " is packed in a way not known");
                    }
                    continue;
                }
            }
            return;
        }
        throw UnpackBudget.rejected(budget.archive, "it has no data.tar, so it is no Debian package");
    }

    private static void unpack(InputStream in, Path folder, UnpackBudget budget) throws IOException {
        TarArchiveInputStream tar = new TarArchiveInputStream(in);
        for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
            String name = entry.getName().replaceFirst("^\\./", "");
            if (name.isEmpty()) {
                continue;
            }
            budget.entry();
            Path target = folder.resolve(UnpackBudget.relative(budget.archive, name));
            if (entry.isDirectory()) {
                Files.createDirectories(target);
            } else if (entry.isFile() && !entry.isLink() && !entry.isSymbolicLink()) {
                Files.createDirectories(target.getParent());
                UnpackBudget.write(tar, target, budget);
            } else {
                throw UnpackBudget.rejected(budget.archive, "'" + name + "' is neither a file nor a folder");
            }
        }
    }

    private interface Unpacking {
        void run() throws IOException;
    }

    /** Runs the unpacking; an exception of the decoders at damaged bytes becomes a rejection. */
    private static void guarded(UnpackBudget budget, Unpacking unpacking) throws IOException {
        try {
            unpacking.run();
        } catch (FileAlreadyExistsException e) {
            throw UnpackBudget.rejected(
                    budget.archive, "two entries claim '" + Path.of(e.getFile()).getFileName() + "'");
        } catch (FileSystemException e) {
            throw e;
        } catch (FormatException e) {
            throw e;
        } catch (IOException | IllegalArgumentException e) {
            throw UnpackBudget.rejected(budget.archive, "its data is damaged (" + e.getMessage() + ")");
        }
    }
}
