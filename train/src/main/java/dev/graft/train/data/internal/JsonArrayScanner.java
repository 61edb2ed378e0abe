package dev.graft.train.data.internal;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A JSON array of objects: a record is an element. */
final class JsonArrayScanner implements RecordScanner {
    private final ByteReader in;
    private int elements;
    private boolean ended;

    JsonArrayScanner(ByteReader in) {
        this.in = in;
    }

    @Override
    public @Nullable RawRecord next() throws IOException {
        if (ended) {
            return null;
        }
        int first = in.skipSpace();
        if (elements == 0) {
            expect(first, '[', "[");
            first = in.skipSpace();
            if (first == ']') {
                return end();
            }
        } else if (first == ']') {
            return end();
        } else {
            expect(first, ',', ", or ] after element " + elements);
            first = in.skipSpace();
        }
        if (first != '{') {
            throw in.error("element " + (elements + 1) + " of the array is not an object");
        }
        elements++;
        return element();
    }

    private void expect(int value, int expected, String what) throws IOException {
        if (value != expected) {
            throw in.error(value < 0 ? "ends too early, expected " + what : "expected " + what);
        }
        in.read();
    }

    private @Nullable RawRecord end() throws IOException {
        in.read();
        ended = true;
        if (in.skipSpace() >= 0) {
            throw in.error("more follows after the end of the array");
        }
        return null;
    }

    private RawRecord element() throws IOException {
        in.startRecord();
        long offset = in.position();
        int depth = 0;
        boolean string = false;
        do {
            int value = in.read();
            if (value < 0) {
                throw in.error("ends too early, inside element " + elements);
            }
            in.keep(value);
            if (string) {
                if (value == '\\' && in.peek() >= 0) {
                    in.keep(in.read());
                } else if (value == '"') {
                    string = false;
                }
            } else if (value == '"') {
                string = true;
            } else if (value == '{' || value == '[') {
                depth++;
            } else if (value == '}' || value == ']') {
                depth--;
            }
        } while (depth > 0);
        return new RawRecord(offset, in.recordLine(), in.record());
    }
}
