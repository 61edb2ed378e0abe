package dev.graft.formats;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.json.JsonReadFeature;

/** The tokens of a JSON document in strict UTF-8. Every error names its line and column. */
final class JsonTokenizer implements AutoCloseable {

    private static final int MAX_DEPTH = 256;

    private static final StreamReadConstraints CONSTRAINTS = StreamReadConstraints.builder()
            .maxNestingDepth(MAX_DEPTH)
            .maxStringLength(64 << 20)
            .maxNumberLength(1000)
            .build();
    private static final JsonFactory STRICT =
            JsonFactory.builder().streamReadConstraints(CONSTRAINTS).build();
    private static final JsonFactory WITH_NAN = JsonFactory.builder()
            .streamReadConstraints(CONSTRAINTS)
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .build();

    private final String source;
    private final byte[] bytes;
    private final JsonParser parser;

    JsonTokenizer(String source, byte[] bytes, boolean allowNaN) {
        this.source = source;
        this.bytes = bytes;
        requireUtf8();
        this.parser = (allowNaN ? WITH_NAN : STRICT).createParser(ObjectReadContext.empty(), bytes);
    }

    /** Returns the next token; the end of the document is an error. */
    JsonToken next() {
        JsonToken token = nextOrEnd();
        if (token == JsonToken.NOT_AVAILABLE) {
            throw error(bytes.length, "ends too early");
        }
        return token;
    }

    /** Refuses anything but white space after the value. */
    void requireEnd() {
        if (nextOrEnd() != JsonToken.NOT_AVAILABLE) {
            throw error("more follows after the end of the value");
        }
    }

    private JsonToken nextOrEnd() {
        try {
            JsonToken token = parser.nextToken();
            return token == null ? JsonToken.NOT_AVAILABLE : token;
        } catch (JacksonException e) {
            throw syntax(e);
        }
    }

    void require(JsonToken actual, JsonToken expected, String what) {
        if (actual != expected) {
            throw error("expected " + what);
        }
    }

    /** The text of a string or a number, or the name of a field. */
    String text() {
        try {
            return parser.getString();
        } catch (JacksonException e) {
            throw syntax(e);
        }
    }

    Number number() {
        try {
            return parser.getNumberValue();
        } catch (JacksonException e) {
            throw syntax(e);
        }
    }

    /** Creates an error at the current token. */
    FormatException error(String what) {
        return error(parser.currentTokenLocation().getByteOffset(), what);
    }

    private FormatException syntax(JacksonException e) {
        String what = e.getOriginalMessage();
        int detail = what.indexOf("\n");
        what = detail < 0 ? what : what.substring(0, detail);
        if (what.contains("nesting depth")) {
            what = "nested deeper than " + MAX_DEPTH + " levels";
        } else if (what.startsWith("Non-standard token")) {
            what = "NaN and Infinity are no numbers here";
        } else if (what.contains("end-of-input")) {
            what = "ends too early";
        }
        return error(parser.currentLocation().getByteOffset(), "not valid JSON: " + what);
    }

    private FormatException error(long offset, String what) {
        int end = (int) Math.max(0, Math.min(offset, bytes.length));
        int line = 1;
        int column = 1;
        for (int i = 0; i < end; i++) {
            if (bytes[i] == '\n') {
                line++;
                column = 1;
            } else if ((bytes[i] & 0xc0) != 0x80) {
                column++;
            }
        }
        return new FormatException(source + ":" + line + ":" + column, what, null);
    }

    private void requireUtf8() {
        if (bytes.length >= 3 && bytes[0] == (byte) 0xef && bytes[1] == (byte) 0xbb && bytes[2] == (byte) 0xbf) {
            throw error(0, "starts with a byte order mark; save it as UTF-8 without one");
        }
        if (bytes.length >= 2 && (bytes[0] & bytes[1] & 0xff) >= 0xfe && bytes[0] != bytes[1]) {
            throw error(0, "is in UTF-16, expected UTF-8");
        }
        for (int i = 0; i < Math.min(4, bytes.length); i++) {
            // The parser would take zeros at the start for UTF-16 or UTF-32 and go on in that.
            if (bytes[i] == 0) {
                throw error(i, "holds a zero byte, expected UTF-8");
            }
        }
        CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
        ByteBuffer in = ByteBuffer.wrap(bytes);
        CharBuffer out = CharBuffer.allocate(8192);
        CoderResult result;
        do {
            out.clear();
            result = decoder.decode(in, out, true);
            if (result.isError()) {
                throw error(in.position(), "not valid UTF-8");
            }
        } while (result.isOverflow());
    }

    @Override
    public void close() {
        parser.close();
    }
}
