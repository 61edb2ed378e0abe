package dev.graft.train.data.internal;

import dev.graft.formats.FormatException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * CSV and TSV after RFC 4180: a field that starts with a quote ends with one, holds delimiters and line ends, and doubles quotes inside.
 * Lines end with LF, CRLF or CR.
 */
final class DelimitedScanner implements RecordScanner {
    private final ByteReader in;
    private final char delimiter;

    DelimitedScanner(ByteReader in, char delimiter) {
        this.in = in;
        this.delimiter = delimiter;
    }

    @Override
    public @Nullable RawRecord next() throws IOException {
        while (in.peek() == '\n' || in.peek() == '\r') {
            in.read();
        }
        if (in.peek() < 0) {
            return null;
        }
        in.startRecord();
        long offset = in.position();
        boolean quoted = false;
        boolean fieldStart = true;
        for (int value = in.peek(); value >= 0; value = in.peek()) {
            if (!quoted && (value == '\n' || value == '\r')) {
                break;
            }
            in.keep(in.read());
            if (quoted) {
                if (value == '"' && in.peek() == '"') {
                    in.keep(in.read());
                } else if (value == '"') {
                    quoted = false;
                }
            } else if (value == '"' && fieldStart) {
                quoted = true;
            }
            fieldStart = !quoted && value == delimiter;
        }
        return new RawRecord(offset, in.recordLine(), in.record());
    }

    /** The fields of one record. */
    static List<String> fields(String record, char delimiter, String place) {
        List<String> fields = new ArrayList<>();
        int at = 0;
        while (true) {
            if (at < record.length() && record.charAt(at) == '"') {
                StringBuilder field = new StringBuilder();
                at = quoted(record, at + 1, field, place, fields.size() + 1);
                fields.add(field.toString());
                if (at < record.length() && record.charAt(at) != delimiter) {
                    throw new FormatException(
                            place,
                            "field " + fields.size()
                                    + " goes on after its closing quote; a field that starts with a quote ends"
                                    + " with one, and quotes inside are doubled: \"\"",
                            null);
                }
            } else {
                int end = record.indexOf(delimiter, at);
                end = end < 0 ? record.length() : end;
                fields.add(record.substring(at, end));
                at = end;
            }
            if (at >= record.length()) {
                return fields;
            }
            at++;
            if (at == record.length()) {
                fields.add("");
                return fields;
            }
        }
    }

    private static int quoted(String record, int start, StringBuilder field, String place, int number) {
        int at = start;
        while (true) {
            int quote = record.indexOf('"', at);
            if (quote < 0) {
                throw new FormatException(place, "the quote that opens field " + number + " is never closed", null);
            }
            field.append(record, at, quote);
            if (quote + 1 < record.length() && record.charAt(quote + 1) == '"') {
                field.append('"');
                at = quote + 2;
            } else {
                return quote + 1;
            }
        }
    }
}
