package dev.graft.train.data.internal;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** JSON lines: a record ends with its line. */
final class LineScanner implements RecordScanner {
    private final ByteReader in;

    LineScanner(ByteReader in) {
        this.in = in;
    }

    @Override
    public @Nullable RawRecord next() throws IOException {
        if (in.skipSpace() < 0) {
            return null;
        }
        in.startRecord();
        long offset = in.position();
        for (int value = in.peek(); value >= 0 && value != '\n' && value != '\r'; value = in.peek()) {
            in.keep(in.read());
        }
        return new RawRecord(offset, in.recordLine(), in.record());
    }
}
