package dev.graft.models.images;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The orientation of a camera: EXIF's tag 274. Numbers 5 to 8 swap width and height.
 *
 * @param number from 1 (upright) to 8
 */
record ExifOrientation(int number) {
    private static final ExifOrientation UPRIGHT = new ExifOrientation(1);
    private static final int TAG = 274;
    private static final int JPEG_START = 0xFFD8;
    private static final int JPEG_APPLICATION = 0xFFE1;
    private static final int JPEG_SCAN = 0xFFDA;
    private static final long PNG_SIGNATURE = 0x89504E470D0A1A0AL;
    private static final int EXIF = 0x45786966;
    private static final int RIFF = 0x52494646;
    private static final int WEBP = 0x57454250;

    /** EXIF as the little-endian numbers of a RIFF file. */
    private static final int WEBP_EXIF = 0x46495845;

    private static final int PNG_EXIF = 0x65584966;
    private static final int PNG_END = 0x49454E44;

    /** Reads the orientation of a JPEG, PNG or WebP file; upright if it has none that can be read. */
    static ExifOrientation of(byte[] file) {
        try {
            ByteBuffer bytes = ByteBuffer.wrap(file);
            if (file.length > 2 && (bytes.getShort(0) & 0xFFFF) == JPEG_START) {
                return jpeg(bytes.position(2));
            }
            if (file.length > 12 && bytes.getInt(0) == RIFF && bytes.getInt(8) == WEBP) {
                return webp(bytes.position(12).slice().order(ByteOrder.LITTLE_ENDIAN));
            }
            return file.length > 8 && bytes.getLong(0) == PNG_SIGNATURE ? png(bytes.position(8)) : UPRIGHT;
        } catch (BufferUnderflowException | IndexOutOfBoundsException | IllegalArgumentException damaged) {
            return UPRIGHT;
        }
    }

    private static ExifOrientation jpeg(ByteBuffer bytes) {
        while (bytes.remaining() >= 4) {
            int marker = bytes.getShort() & 0xFFFF;
            int length = bytes.getShort() & 0xFFFF;
            if (marker == JPEG_SCAN) {
                return UPRIGHT;
            }
            ByteBuffer segment = bytes.slice(bytes.position(), length - 2);
            if (marker == JPEG_APPLICATION && segment.remaining() > 6 && segment.getInt(0) == EXIF) {
                return tiff(segment.slice(6, segment.remaining() - 6));
            }
            bytes.position(bytes.position() + length - 2);
        }
        return UPRIGHT;
    }

    private static ExifOrientation png(ByteBuffer bytes) {
        while (bytes.remaining() >= 12) {
            int length = bytes.getInt();
            int type = bytes.getInt();
            if (type == PNG_END) {
                return UPRIGHT;
            }
            if (type == PNG_EXIF) {
                return tiff(bytes.slice(bytes.position(), length));
            }
            bytes.position(bytes.position() + length + 4);
        }
        return UPRIGHT;
    }

    private static ExifOrientation webp(ByteBuffer chunks) {
        while (chunks.remaining() >= 8) {
            int type = chunks.getInt();
            int length = chunks.getInt();
            if (type == WEBP_EXIF) {
                ByteBuffer exif = chunks.slice(chunks.position(), length).order(ByteOrder.BIG_ENDIAN);
                return tiff(exif.getInt(0) == EXIF ? exif.slice(6, length - 6) : exif);
            }
            chunks.position(chunks.position() + length + (length & 1));
        }
        return UPRIGHT;
    }

    private static ExifOrientation tiff(ByteBuffer exif) {
        exif.order(exif.get(0) == 'I' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
        int at = exif.getInt(4);
        int entries = exif.getShort(at) & 0xFFFF;
        for (int i = 0; i < entries; i++) {
            int entry = at + 2 + 12 * i;
            if ((exif.getShort(entry) & 0xFFFF) == TAG) {
                int number = exif.getShort(entry + 8) & 0xFFFF;
                return number >= 1 && number <= 8 ? new ExifOrientation(number) : UPRIGHT;
            }
        }
        return UPRIGHT;
    }

    boolean isUpright() {
        return number == 1;
    }

    /** Returns true if the rows of the stored picture are columns of the seen one. */
    boolean isLying() {
        return number >= 5;
    }

    /** Returns true if the stored picture is read from the right. */
    boolean mirrorsX() {
        return number == 2 || number == 3 || number == 7 || number == 8;
    }

    /** Returns true if the stored picture is read from below. */
    boolean mirrorsY() {
        return number == 3 || number == 4 || number == 6 || number == 7;
    }
}
