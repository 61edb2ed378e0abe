package dev.graft.formats;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Reads little-endian values of a file one after the other, never beyond its end. */
final class ByteCursor {

    private final MappedFile file;
    private final ByteBuffer buffer =
            ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN).limit(0);
    private long bufferStart;

    ByteCursor(MappedFile file) {
        this.file = file;
    }

    long position() {
        return bufferStart + buffer.position();
    }

    long remaining() {
        return file.size() - position();
    }

    byte int8(String what) {
        return need(1, what).get();
    }

    short int16(String what) {
        return need(2, what).getShort();
    }

    int int32(String what) {
        return need(4, what).getInt();
    }

    long int64(String what) {
        return need(8, what).getLong();
    }

    /**
     * Checks a number of items that take at least {@code bytesEach} bytes each. Refuses a number that the rest of the file cannot hold.
     */
    int count(long count, int bytesEach, int max, String what) {
        if (count < 0 || count > remaining() / bytesEach) {
            throw error(what + ": " + Long.toUnsignedString(count) + " is more than the rest of the file can hold");
        }
        if (count > max) {
            throw error(what + ": " + count + " is more than the " + max + " that are read");
        }
        return (int) count;
    }

    /** Reads a string whose length precedes it in 64 bits. */
    String string(int maxBytes, String what) {
        return text(count(int64("length of " + what), 1, maxBytes, "length of " + what), what);
    }

    /** Reads a string of that many bytes. */
    String text(int length, String what) {
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

    /** Skips bytes, which must be there. */
    void skip(long bytes) {
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

    FormatException error(String what) {
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
