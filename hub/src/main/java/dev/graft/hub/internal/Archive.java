package dev.graft.hub.internal;

import dev.graft.formats.FormatException;
import dev.graft.hub.Progress;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Enumeration;
import java.util.HashSet;
import java.util.Set;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/** Unpacks a package that is not trusted: nothing lands outside the folder, and nothing fills the disk. */
public final class Archive {
    private static final long MAX_BYTES = 64L << 30;
    private static final int MAX_ENTRIES = 100_000;
    private static final int MAX_RATIO = 100;
    /** Below this the ratio does not matter: a small text file may well shrink a hundredfold. */
    private static final long RATIO_FREE_BYTES = 64L << 20;

    private Archive() {}

    /**
     * Unpacks every entry of {@code archive} below {@code folder}: a zip (jar, wheel), a tar packed by gzip, or a Debian package's data.
     *
     * @throws FormatException for an entry with an absolute path, {@code ..} or a back-slash, a link, two entries of one name,
     *     too many or too large entries, or bytes that are none of these
     */
    public static void unpack(Path archive, Path folder, Progress progress) throws IOException {
        String name = String.valueOf(archive.getFileName());
        Budget budget = new Budget(name, Files.size(archive), progress);
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

    private static void unpackZip(Path archive, String name, Path folder, Budget budget) throws IOException {
        Set<String> links = ZipModes.symbolicLinks(archive);
        try (ZipFile zip = new ZipFile(archive.toFile())) {
            if (zip.size() > MAX_ENTRIES) {
                throw tooMany(name, zip.size());
            }
            Set<String> seen = new HashSet<>();
            for (Enumeration<? extends ZipEntry> entries = zip.entries(); entries.hasMoreElements(); ) {
                ZipEntry entry = entries.nextElement();
                Path target = folder.resolve(relative(name, entry.getName()));
                if (links.contains(entry.getName())) {
                    throw refused(name, "'" + entry.getName() + "' is a symbolic link");
                }
                if (!seen.add(entry.getName().replaceAll("/+$", ""))) {
                    throw refused(name, "'" + entry.getName() + "' is there twice");
                }
                if (entry.isDirectory()) {
                    Files.createDirectories(target);
                } else {
                    Files.createDirectories(target.getParent());
                    try (InputStream in = zip.getInputStream(entry)) {
                        write(in, target, budget);
                    }
                }
            }
        } catch (ZipException | IllegalArgumentException e) {
            throw refused(name, "it is not a readable zip archive (" + e.getMessage() + ")");
        } catch (FileAlreadyExistsException e) {
            throw refused(name, "two entries claim '" + folder.relativize(Path.of(e.getFile())) + "'");
        }
    }

    static void write(InputStream in, Path target, Budget budget) throws IOException {
        byte[] buffer = new byte[1 << 16];
        try (OutputStream out =
                Files.newOutputStream(target, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (int n; (n = read(in, buffer, budget.archive)) >= 0; ) {
                budget.spend(n);
                out.write(buffer, 0, n);
            }
        }
    }

    private static int read(InputStream in, byte[] buffer, String archive) throws IOException {
        try {
            return in.read(buffer);
        } catch (ZipException | EOFException e) {
            throw refused(archive, "its data is damaged (" + e.getMessage() + ")");
        }
    }

    /** The entry's name as a path below any folder, or a refusal. */
    static Path relative(String archive, String entry) {
        String plain = entry.endsWith("/") ? entry.substring(0, entry.length() - 1) : entry;
        if (!PlainPath.is(plain)) {
            throw refused(archive, "entry '" + entry + "' is not a plain relative path");
        }
        return Path.of(plain);
    }

    /** Counts what was really written, whatever sizes the archive declares. */
    static final class Budget {
        final String archive;
        private final long compressed;
        private final Progress progress;
        private long written;
        private int entries;

        Budget(String archive, long compressed, Progress progress) {
            this.archive = archive;
            this.compressed = compressed;
            this.progress = progress;
        }

        void entry() {
            if (++entries > MAX_ENTRIES) {
                throw tooMany(archive, entries);
            }
        }

        void spend(int bytes) {
            written += bytes;
            if (written > MAX_BYTES) {
                throw refused(archive, "it unpacks to more than " + (MAX_BYTES >> 30) + " GiB");
            }
            if (written > RATIO_FREE_BYTES && written / MAX_RATIO > compressed) {
                throw refused(archive, "it unpacks to more than " + MAX_RATIO + " times its size");
            }
            progress.report("unpack " + archive, written, -1);
        }
    }

    private static FormatException tooMany(String archive, int entries) {
        return refused(archive, entries + " entries, at most " + MAX_ENTRIES + " are unpacked");
    }

    static FormatException refused(String archive, String why) {
        return new FormatException(archive, why + "; it was not unpacked", null);
    }
}
