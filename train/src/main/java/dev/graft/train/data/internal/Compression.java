package dev.graft.train.data.internal;

import java.io.IOException;
import java.io.InputStream;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorInputStream;
import org.apache.commons.compress.compressors.zstandard.ZstdCompressorInputStream;
import org.jspecify.annotations.Nullable;

/** Formats of compressed data files, recognised by their first bytes. Files of several packed parts, one after another, are read whole. */
enum Compression {
    GZIP("gzip", ".gz", 0x1f, 0x8b),
    ZSTANDARD("Zstandard", ".zst", 0x28, 0xb5, 0x2f, 0xfd),
    BZIP2("bzip2", ".bz2", 'B', 'Z', 'h'),
    XZ("xz", ".xz", 0xfd, '7', 'z', 'X', 'Z', 0);

    private static final int MOST_MEMORY_KIB = 256 << 10;

    final String title;
    final String suffix;
    private final int[] magic;

    Compression(String title, String suffix, int... magic) {
        this.title = title;
        this.suffix = suffix;
        this.magic = magic;
    }

    /** Returns the compression of a file that begins so; null if it has none. */
    static @Nullable Compression of(byte[] head) {
        for (Compression compression : values()) {
            if (startsWith(head, compression.magic)) {
                return compression;
            }
        }
        return null;
    }

    static boolean startsWith(byte[] head, int... bytes) {
        if (head.length < bytes.length) {
            return false;
        }
        for (int i = 0; i < bytes.length; i++) {
            if ((head[i] & 0xff) != bytes[i]) {
                return false;
            }
        }
        return true;
    }

    /** Unpacks a stream. */
    InputStream unpack(InputStream in) throws IOException {
        return switch (this) {
            case GZIP -> new GzipCompressorInputStream(in, true);
            case ZSTANDARD -> new ZstdCompressorInputStream(in);
            case BZIP2 -> new BZip2CompressorInputStream(in, true);
            case XZ -> new XZCompressorInputStream(in, true, MOST_MEMORY_KIB);
        };
    }
}
