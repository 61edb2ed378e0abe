package dev.graft.hub;

import dev.graft.formats.FormatException;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.ZipException;

/** The limits of one untrusted archive. They count the bytes written, whatever sizes the archive declares. */
final class UnpackBudget {
    static final int MAX_ENTRIES = 100_000;
    private static final long MAX_BYTES = 64L << 30;
    private static final int MAX_RATIO = 100;
    /** Below this the ratio does not matter: a small text file may well shrink a hundredfold. */
    private static final long RATIO_FREE_BYTES = 64L << 20;

    final String archive;
    private final long compressed;
    private final DownloadProgress progress;
    private long written;
    private int entries;

    UnpackBudget(String archive, long compressed, DownloadProgress progress) {
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
            throw rejected(archive, "it unpacks to more than " + (MAX_BYTES >> 30) + " GiB");
        }
        if (written > RATIO_FREE_BYTES && written / MAX_RATIO > compressed) {
            throw rejected(archive, "it unpacks to more than " + MAX_RATIO + " times its size");
        }
        progress.onProgress("unpack " + archive, written, -1);
    }

    static void write(InputStream in, Path target, UnpackBudget budget) throws IOException {
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
            throw rejected(archive, "its data is damaged (" + e.getMessage() + ")");
        }
    }

    /**
     * Returns the entry's name as a path that stays below any folder.
     *
     * @throws FormatException if it does not
     */
    static Path relative(String archive, String entry) {
        String plain = entry.endsWith("/") ? entry.substring(0, entry.length() - 1) : entry;
        if (!SafePath.isSafe(plain)) {
            throw rejected(archive, "entry '" + entry + "' is not a plain relative path");
        }
        return Path.of(plain);
    }

    static FormatException tooMany(String archive, int entries) {
        return rejected(archive, entries + " entries, at most " + MAX_ENTRIES + " are unpacked");
    }

    static FormatException rejected(String archive, String why) {
        return new FormatException(archive, why + "; it was not unpacked", null);
    }
}
