package dev.graft.formats.internal;

import dev.graft.formats.FormatException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Reads little-endian values of a file one after the other, never beyond its end. */
public final class ByteCursor {

    private final MappedFile file;
    private final ByteBuffer buffer =
            ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN).limit(0);
    private long bufferStart;

    public ByteCursor(MappedFile file) {
        this.file = file;
    }

    public long position() {
        return bufferStart + buffer.position();
    }

    public long remaining() {
        return file.size() - position();
    }

    public byte int8(String what) {
        return need(1, what).get();
    }

    public short int16(String what) {
        return need(2, what).getShort();
    }

    public int int32(String what) {
        return need(4, what).getInt();
    }

    public long int64(String what) {
        return need(8, what).getLong();
    }

    /** A count of things that take at least {@code bytesEach} bytes; one that the rest of the file cannot hold is refused. */
    public int count(long count, int bytesEach, int max, String what) {
        if (count < 0 || count > remaining() / bytesEach) {
            throw error(what + ": " + Long.toUnsignedString(count) + " is more than the rest of the file can hold");
        }
        if (count > max) {
            throw error(what + ": " + count + " is more than the " + max + " that are read");
        }
        return (int) count;
    }

    /** A string with its length in 64 bits before it. */
    public String string(int maxBytes, String what) {
        return text(count(int64("length of " + what), 1, maxBytes, "length of " + what), what);
    }

    /** A string of that many bytes. */
    public String text(int length, String what) {
        byte[] bytes = new byte[count(length, 1, Integer.MAX_VALUE, "length of " + what)];
        for (int done = 0; done < bytes.length; ) {
            need(1, what);
            int part = Math.min(buffer.remaining(), bytes.length - done);
            buffer.get(bytes, done, part);
            done += part;
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw error(what + " is not valid UTF-8");
        }
    }

    /** Leaves out bytes, which must be there. */
    public void skip(long bytes) {
        if (bytes < 0 || bytes > remaining()) {
            throw error("the file ends inside " + bytes + " bytes");
        }
        long target = position() + bytes;
        if (bytes <= buffer.remaining()) {
            buffer.position(buffer.position() + (int) bytes);
        } else {
            buffer.clear().limit(0);
            bufferStart = target;
        }
    }

    public FormatException error(String what) {
        return new FormatException(file.path(), "at byte " + position() + ": " + what);
    }

    private ByteBuffer need(int bytes, String what) {
        if (buffer.remaining() < bytes) {
            if (remaining() < bytes) {
                throw error("the file ends inside " + what);
            }
            long start = position();
            int length = (int) Math.min(buffer.capacity(), file.size() - start);
            buffer.clear().limit(length);
            file.read(start, length, buffer);
            buffer.flip();
            bufferStart = start;
        }
        return buffer;
    }
}
