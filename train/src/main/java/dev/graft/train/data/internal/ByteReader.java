package dev.graft.train.data.internal;

import dev.graft.formats.FormatException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;

/** Bytes one at a time with their position and line, collected into records of limited size. */
final class ByteReader {
    /** Far above any row that a model could take, and small enough that a file without line ends is not read into memory whole. */
    static final int MOST_RECORD_BYTES = 8 << 20;

    private final Path file;
    private final InputStream in;
    private final byte[] buffer = new byte[1 << 16];
    private int filled;
    private int next;
    private long position;
    private int line = 1;
    private int lastRead = -1;
    private int recordLine = 1;
    private final ByteArrayOutputStream record = new ByteArrayOutputStream();

    ByteReader(Path file, InputStream in) throws IOException {
        this.file = file;
        this.in = in;
        if (peek() == 0xef) {
            for (int expected : new int[] {0xef, 0xbb, 0xbf}) {
                if (read() != expected) {
                    throw error("not valid UTF-8");
                }
            }
        }
    }

    int peek() throws IOException {
        if (next == filled) {
            filled = Math.max(0, in.read(buffer));
            next = 0;
        }
        return filled == 0 ? -1 : buffer[next] & 0xff;
    }

    int read() throws IOException {
        int value = peek();
        if (value >= 0) {
            next++;
            position++;
            if (value == '\n' && lastRead != '\r' || value == '\r') {
                line++;
            }
            lastRead = value;
        }
        return value;
    }

    /** The next byte that is no white space, not yet consumed. */
    int skipSpace() throws IOException {
        int value = peek();
        while (value == ' ' || value == '\t' || value == '\n' || value == '\r') {
            read();
            value = peek();
        }
        return value;
    }

    long position() {
        return position;
    }

    void startRecord() {
        record.reset();
        recordLine = line;
    }

    void keep(int value) {
        if (record.size() == MOST_RECORD_BYTES) {
            throw new FormatException(
                    file + ":" + recordLine,
                    "this row has more than " + MOST_RECORD_BYTES
                            + " bytes; is there one row a line, and every quote closed?",
                    null);
        }
        record.write(value);
    }

    int recordLine() {
        return recordLine;
    }

    byte[] record() {
        return record.toByteArray();
    }

    FormatException error(String what) {
        return new FormatException(file + ":" + line, what, null);
    }
}
