package dev.graft.train.log;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * The protocol buffer {@code tensorflow.Event} (tensorflow/core/util/event.proto) as far as scalars need it, and the TFRecord frame
 * around it: length, masked CRC-32C of the length, data, masked CRC-32C of the data.
 */
final class TensorBoardEvent {
    private static final int VARINT = 0;
    private static final int FIXED64 = 1;
    private static final int BYTES = 2;
    private static final int FIXED32 = 5;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    private TensorBoardEvent() {}

    private static TensorBoardEvent at(double seconds, long step) {
        return new TensorBoardEvent().real64(1, seconds).integer(2, step);
    }

    /** The event that every file starts with. */
    static byte[] fileVersion(double seconds) {
        byte[] version = "brain.Event:2".getBytes(StandardCharsets.UTF_8);
        return at(seconds, 0).bytes(3, version).out.toByteArray();
    }

    /** Events of this and later steps in earlier files no longer count. */
    static byte[] sessionStart(double seconds, long step) {
        byte[] start = new TensorBoardEvent().integer(1, 1).out.toByteArray();
        return at(seconds, step).bytes(7, start).out.toByteArray();
    }

    static byte[] scalars(double seconds, long step, Map<String, Double> scalars) {
        TensorBoardEvent summary = new TensorBoardEvent();
        scalars.forEach((tag, value) -> summary.bytes(
                1,
                new TensorBoardEvent()
                        .bytes(1, tag.getBytes(StandardCharsets.UTF_8))
                        .real32(2, value.floatValue())
                        .out
                        .toByteArray()));
        return at(seconds, step).bytes(5, summary.out.toByteArray()).out.toByteArray();
    }

    static byte[] framed(byte[] event) {
        ByteBuffer frame = ByteBuffer.allocate(event.length + 16).order(ByteOrder.LITTLE_ENDIAN);
        frame.putLong(event.length);
        frame.putInt(maskedCrc(frame.array(), 8));
        frame.put(event);
        frame.putInt(maskedCrc(event, event.length));
        return frame.array();
    }

    private static int maskedCrc(byte[] bytes, int length) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, length);
        return Integer.rotateRight((int) crc.getValue(), 15) + 0xa282ead8;
    }

    private TensorBoardEvent integer(int field, long value) {
        if (value != 0) {
            varint((long) field << 3 | VARINT);
            varint(value);
        }
        return this;
    }

    private TensorBoardEvent real64(int field, double value) {
        varint((long) field << 3 | FIXED64);
        out.writeBytes(ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putDouble(value)
                .array());
        return this;
    }

    private TensorBoardEvent real32(int field, float value) {
        varint((long) field << 3 | FIXED32);
        out.writeBytes(ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putFloat(value)
                .array());
        return this;
    }

    private TensorBoardEvent bytes(int field, byte[] value) {
        varint((long) field << 3 | BYTES);
        varint(value.length);
        out.writeBytes(value);
        return this;
    }

    private void varint(long value) {
        long rest = value;
        while ((rest & ~0x7fL) != 0) {
            out.write((int) (rest & 0x7f | 0x80));
            rest >>>= 7;
        }
        out.write((int) rest);
    }
}
