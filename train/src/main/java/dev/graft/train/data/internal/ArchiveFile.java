package dev.graft.train.data.internal;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;

/** Bytes of a file by their place; those of a gzip file are unpacked into memory. */
final class ArchiveFile implements AutoCloseable {
    private static final int GZIP = 0x1f8b;

    /** The most that is unpacked: a small file may claim to hold any amount. */
    private static final int MOST_UNPACKED = 1 << 30;

    private final Path path;
    private final FileChannel channel;
    private final byte @Nullable [] unpacked;
    private final long size;

    private ArchiveFile(Path path, FileChannel channel, byte @Nullable [] unpacked) throws IOException {
        this.path = path;
        this.channel = channel;
        this.unpacked = unpacked;
        this.size = unpacked == null ? channel.size() : unpacked.length;
    }

    /** @throws FormatException if it can't be read or unpacked */
    static ArchiveFile open(Path path) {
        try {
            byte[] unpacked = null;
            if (isGzip(path)) {
                try (InputStream in = unpacking(path)) {
                    unpacked = in.readNBytes(MOST_UNPACKED + 1);
                }
                if (unpacked.length > MOST_UNPACKED) {
                    throw new FormatException(
                            path, "unpacks to more than " + MOST_UNPACKED + " bytes; unpack it first");
                }
            }
            return new ArchiveFile(path, FileChannel.open(path, StandardOpenOption.READ), unpacked);
        } catch (IOException e) {
            throw new FormatException(path.toString(), "cannot be read: " + e.getMessage(), e);
        }
    }

    /** The first bytes, fewer where the file is shorter; none of a damaged one. */
    static byte[] head(Path path, int count) {
        try (InputStream in = isGzip(path) ? unpacking(path) : Files.newInputStream(path)) {
            return in.readNBytes(count);
        } catch (IOException damaged) {
            return new byte[0];
        }
    }

    private static boolean isGzip(Path path) throws IOException {
        try (InputStream in = Files.newInputStream(path)) {
            byte[] head = in.readNBytes(2);
            return head.length == 2 && (ByteBuffer.wrap(head).getShort() & 0xFFFF) == GZIP;
        }
    }

    private static InputStream unpacking(Path path) throws IOException {
        return new BufferedInputStream(new GZIPInputStream(Files.newInputStream(path), 1 << 16));
    }

    Path path() {
        return path;
    }

    long size() {
        return size;
    }

    /** @throws InputException if the file became shorter */
    ByteBuffer read(long offset, int count) {
        if (unpacked != null) {
            return ByteBuffer.wrap(unpacked, (int) offset, count).slice();
        }
        ByteBuffer bytes = ByteBuffer.allocate(count);
        try {
            while (bytes.hasRemaining()) {
                if (channel.read(bytes, offset + bytes.position()) < 0) {
                    throw new FormatException(path, "became shorter while it was in use");
                }
            }
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + path, e);
        }
        return bytes.flip();
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new FileAccessException("cannot close " + path, e);
        }
    }
}
