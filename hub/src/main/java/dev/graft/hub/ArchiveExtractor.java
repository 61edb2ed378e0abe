package dev.graft.hub;

import dev.graft.formats.FormatException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.HashSet;
import java.util.Set;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/** Unpacks an untrusted package: nothing is written outside the folder, and a limit keeps it from filling the disk. */
final class ArchiveExtractor {
    private ArchiveExtractor() {}

    /**
     * Unpacks every entry of {@code archive} below {@code folder}: a zip (jar, wheel), a tar packed by gzip, or a Debian package's data.
     *
     * @throws FormatException for an entry with an absolute path, {@code ..} or a back-slash, a link, two entries of one name,
     *     too many or too large entries, or bytes that are none of these
     */
    static void unpack(Path archive, Path folder, DownloadProgress progress) throws IOException {
        String name = String.valueOf(archive.getFileName());
        UnpackBudget budget = new UnpackBudget(name, Files.size(archive), progress);
        byte[] head;
        try (InputStream in = Files.newInputStream(archive)) {
            head = in.readNBytes(8);
        }
        if (Tarball.isGzip(head)) {
            Tarball.unpackGzip(archive, folder, budget);
        } else if (Tarball.isDebian(head)) {
            Tarball.unpackDebian(archive, folder, budget);
        } else {
            unpackZip(archive, name, folder, budget);
        }
    }

    private static void unpackZip(Path archive, String name, Path folder, UnpackBudget budget) throws IOException {
        Set<String> links = ZipSymlinks.symbolicLinks(archive);
        try (ZipFile zip = new ZipFile(archive.toFile())) {
            if (zip.size() > UnpackBudget.MAX_ENTRIES) {
                throw UnpackBudget.tooMany(name, zip.size());
            }
            Set<String> seen = new HashSet<>();
            for (Enumeration<? extends ZipEntry> entries = zip.entries(); entries.hasMoreElements(); ) {
                ZipEntry entry = entries.nextElement();
                Path target = folder.resolve(UnpackBudget.relative(name, entry.getName()));
                if (links.contains(entry.getName())) {
                    throw UnpackBudget.rejected(name, "'" + entry.getName() + "' is a symbolic link");
                }
                if (!seen.add(entry.getName().replaceAll("/+$", ""))) {
                    throw UnpackBudget.rejected(name, "'" + entry.getName() + "' is there twice");
                }
                if (entry.isDirectory()) {
                    Files.createDirectories(target);
                } else {
                    Files.createDirectories(target.getParent());
                    try (InputStream in = zip.getInputStream(entry)) {
                        UnpackBudget.write(in, target, budget);
                    }
                }
            }
        } catch (ZipException | IllegalArgumentException e) {
            throw UnpackBudget.rejected(name, "it is not a readable zip archive (" + e.getMessage() + ")");
        } catch (FileAlreadyExistsException e) {
            throw UnpackBudget.rejected(name, "two entries claim '" + folder.relativize(Path.of(e.getFile())) + "'");
        }
    }
}
