package dev.graft.formats;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A file of any size, opened once and read through read-only little-endian views. Before each view the length and age of the file are checked,
 * since reading mapped memory beyond the end of a shortened file is a fault. Replacing the file by a rename, as atomic writers do, has no effect:
 * the old content stays open.
 */
final class MappedFile implements AutoCloseable {

    /** Nanoseconds: few systems note the time of a write more exactly. */
    private static final long SOON = 1_000_000;

    private final Path path;
    private final FileChannel channel;
    private final BasicFileAttributes opened;
    private final @Nullable ByteBuffer whole;
    private volatile long checked;

    private MappedFile(Path path, FileChannel channel, BasicFileAttributes opened) throws IOException {
        this.path = path;
        this.channel = channel;
        this.opened = opened;
        this.checked = System.nanoTime();
        this.whole = opened.size() <= Integer.MAX_VALUE
                ? channel.map(FileChannel.MapMode.READ_ONLY, 0, opened.size())
                : null;
    }

    static MappedFile open(Path path) {
        try {
            BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
            if (!attributes.isRegularFile()) {
                throw new FormatException(path, "is not a file");
            }
            FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
            try {
                return new MappedFile(path, channel, attributes);
            } catch (IOException | RuntimeException | Error e) {
                channel.close();
                throw e;
            }
        } catch (NoSuchFileException e) {
            throw new FormatException(path.toString(), "there is no such file", e);
        } catch (IOException e) {
            throw failed(path, e);
        }
    }

    Path path() {
        return path;
    }

    long size() {
        return opened.size();
    }

    /** Returns a view of part of the file; {@code what} names the part if it is too large for a view. */
    ByteBuffer view(long offset, long length, String what) {
        Objects.checkFromIndexSize(offset, length, size());
        requireUnchanged();
        if (length > Integer.MAX_VALUE) {
            throw new FormatException(
                    path, what + " has " + length + " bytes; more than 2147483647 in one tensor cannot be read");
        }
        try {
            ByteBuffer view = whole == null
                    ? channel.map(FileChannel.MapMode.READ_ONLY, offset, length)
                    : whole.slice((int) offset, (int) length);
            return view.order(ByteOrder.LITTLE_ENDIAN);
        } catch (IOException e) {
            throw failed(path, e);
        }
    }

    /**
     * Copies part of the file by read calls, which fail where a view would fault. Calls that closely follow one another share one check for
     * changes.
     */
    void read(long offset, long length, ByteBuffer into) {
        Objects.checkFromIndexSize(offset, length, size());
        if (System.nanoTime() - checked > SOON) {
            requireUnchanged();
        }
        if (into.remaining() < length) {
            throw new IllegalArgumentException(length + " bytes do not fit into a buffer with " + into.remaining());
        }
        ByteBuffer part = into.slice(into.position(), (int) length);
        try {
            while (part.hasRemaining()) {
                if (channel.read(part, offset + part.position()) < 0) {
                    requireUnchanged();
                    throw changed("it became shorter");
                }
            }
        } catch (IOException e) {
            throw failed(path, e);
        }
        into.position(into.position() + (int) length);
    }

    /** Returns a copy of part of the file. */
    byte[] copy(long offset, int length) {
        byte[] bytes = new byte[length];
        read(offset, length, ByteBuffer.wrap(bytes));
        return bytes;
    }

    /** Creates the error for a fault while reading mapped memory. */
    FormatException fault(InternalError e) {
        return new FormatException(path.toString(), "changed while it was being read: it became shorter", e);
    }

    /** Refuses a file that was shortened or written to since it was opened. */
    void requireUnchanged() {
        try {
            long size = channel.size();
            if (size != size()) {
                throw changed("it had " + size() + " bytes and now has " + size);
            }
            BasicFileAttributes now = Files.readAttributes(path, BasicFileAttributes.class);
            if (Objects.equals(now.fileKey(), opened.fileKey())
                    && !now.lastModifiedTime().equals(opened.lastModifiedTime())) {
                throw changed("it was written to at " + now.lastModifiedTime());
            }
            checked = System.nanoTime();
        } catch (NoSuchFileException e) {
            // Removed, but this handle keeps the content.
        } catch (ClosedChannelException e) {
            throw new IllegalStateException(path + " is closed", e);
        } catch (IOException e) {
            throw failed(path, e);
        }
    }

    private FormatException changed(String how) {
        return new FormatException(path, "changed since it was opened: " + how + "; open it again");
    }

    private static UncheckedIOException failed(Path path, IOException e) {
        return new FileAccessException("cannot read " + path, e);
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw failed(path, e);
        }
    }
}
