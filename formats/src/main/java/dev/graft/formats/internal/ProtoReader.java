package dev.graft.formats.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * The fields of one protobuf message, one after the other. Nested messages have readers of their own, so the calling code bounds the depth.
 * Groups, which proto3 lacks, are refused. Source: the protobuf encoding specification.
 */
public final class ProtoReader {

    /** The bytes are not a valid message. */
    public static final class Malformed extends Exception {
        private static final long serialVersionUID = 1;

        public Malformed(String what) {
            super(what);
        }
    }

    public static final int VARINT = 0;
    public static final int FIXED64 = 1;
    public static final int BYTES = 2;
    public static final int FIXED32 = 5;

    private final ByteBuffer in;
    private final long start;
    private long offset;
    private int field;
    private int wireType;

    public ProtoReader(ByteBuffer message) {
        this(message, 0);
    }

    private ProtoReader(ByteBuffer message, long start) {
        this.in = message.slice().order(ByteOrder.LITTLE_ENDIAN);
        this.start = start;
    }

    /** Moves to the next field; {@code false} at the end. The value must then be read or skipped. */
    public boolean next() throws Malformed {
        if (!in.hasRemaining()) {
            return false;
        }
        long tag = varint();
        wireType = (int) (tag & 7);
        if (tag >>> 3 == 0 || tag >>> 3 > 0x1fffffff) {
            throw new Malformed("field number " + Long.toUnsignedString(tag >>> 3));
        }
        field = (int) (tag >>> 3);
        return true;
    }

    public int field() {
        return field;
    }

    public int wireType() {
        return wireType;
    }

    public boolean hasRemaining() {
        return in.hasRemaining();
    }

    /** Refuses another wire type than the expected one. */
    public void require(int expected) throws Malformed {
        if (wireType != expected) {
            throw new Malformed("field " + field + " has wire type " + wireType + ", expected " + expected);
        }
    }

    public long varint() throws Malformed {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            byte next = need(1).get();
            if (shift == 63 && (next & 0xfe) != 0) {
                break;
            }
            value |= (long) (next & 0x7f) << shift;
            if (next >= 0) {
                return value;
            }
        }
        throw new Malformed("a number of more than 64 bits");
    }

    public int fixed32() throws Malformed {
        return need(4).getInt();
    }

    public long fixed64() throws Malformed {
        return need(8).getLong();
    }

    /** Returns a view of a length-delimited value. */
    public ByteBuffer bytes() throws Malformed {
        require(BYTES);
        long length = varint();
        if (length < 0 || length > in.remaining()) {
            throw new Malformed(
                    "a length of " + Long.toUnsignedString(length) + " where " + in.remaining() + " bytes are left");
        }
        offset = start + in.position();
        ByteBuffer value = in.slice(in.position(), (int) length).order(ByteOrder.LITTLE_ENDIAN);
        in.position(in.position() + (int) length);
        return value;
    }

    /** The start of the last length-delimited value, counted from the start of the outermost message. */
    public long offset() {
        return offset;
    }

    public ProtoReader message() throws Malformed {
        ByteBuffer message = bytes();
        return new ProtoReader(message, offset);
    }

    public String string() throws Malformed {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(bytes()).toString();
        } catch (CharacterCodingException e) {
            throw new Malformed("field " + field + " is not valid UTF-8");
        }
    }

    public void skip() throws Malformed {
        switch (wireType) {
            case VARINT -> varint();
            case FIXED64 -> fixed64();
            case BYTES -> bytes();
            case FIXED32 -> fixed32();
            default -> throw new Malformed("field " + field + " has wire type " + wireType);
        }
    }

    private ByteBuffer need(int count) throws Malformed {
        if (in.remaining() < count) {
            throw new Malformed("the message ends inside field " + field);
        }
        return in;
    }
}
