package dev.graft.models.audio;

import dev.graft.formats.FormatException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Supplier;

/**
 * Decodes FLAC (RFC 9639): blocks of samples that are constant, verbatim, or linear predictions with Rice-coded
 * residuals. Every frame's checksum is checked.
 */
final class FlacDecoder {
    private static final int MOST_CHANNELS = 8;

    private final Path file;
    private final byte[] bytes;
    private final int most;
    private final Supplier<FormatException> tooLong;
    /** The position of the next bit. */
    private long at;

    private int rate;
    private int channels;
    private int bits;
    private float[] samples = new float[1 << 16];
    private int count;

    /**
     * Decodes the bytes of a file.
     *
     * @param most the maximum number of samples to read
     * @param tooLong the error for a file that has more
     */
    FlacDecoder(Path file, byte[] bytes, int most, Supplier<FormatException> tooLong) {
        this.file = file;
        this.bytes = bytes;
        this.most = most;
        this.tooLong = tooLong;
    }

    /** Decoded samples from -1 to 1, and their number per second. */
    @SuppressWarnings("ArrayRecordComponent") // made here and handed over whole
    record Samples(float[] values, int rate) {}

    /** Returns all samples, as the mean of the channels. */
    Samples sound() {
        long total = header();
        while (at < 8L * bytes.length && !isTag()) {
            frame();
        }
        if (total > 0 && total != count) {
            throw damaged("has " + count + " samples, its header says " + total);
        }
        return new Samples(Arrays.copyOf(samples, count), rate);
    }

    /** Returns whether a tag of another tool follows the last frame. */
    private boolean isTag() {
        int start = (int) (at / 8);
        return start + 3 <= bytes.length && bytes[start] == 'T' && bytes[start + 1] == 'A' && bytes[start + 2] == 'G';
    }

    private long header() {
        at = 32;
        long total = -1;
        boolean last = false;
        while (!last) {
            last = read(1) == 1;
            int type = (int) read(7);
            int length = (int) read(24);
            long end = at + 8L * length;
            if (type == 0) {
                if (length < 34) {
                    throw damaged("has a STREAMINFO of " + length + " bytes");
                }
                at += 80;
                rate = (int) read(20);
                channels = (int) read(3) + 1;
                bits = (int) read(5) + 1;
                total = read(36);
            }
            at = end;
        }
        if (total < 0 || rate == 0 || bits < 4) {
            throw damaged("doesn't say its rate and its bits");
        }
        if (total > most) {
            throw tooLong.get();
        }
        return total;
    }

    private void frame() {
        int start = (int) (at / 8);
        if (read(14) != 0x3ffe || read(1) != 0) {
            throw damaged("has no frame at byte " + start);
        }
        read(1);
        int sizeCode = (int) read(4);
        int rateCode = (int) read(4);
        int layout = (int) read(4);
        int bitsCode = (int) read(3);
        read(1);
        skipNumber();
        int size = size(sizeCode);
        read(rateCode == 12 ? 8 : rateCode == 13 || rateCode == 14 ? 16 : 0);
        read(8);
        int own = bits(bitsCode);
        int streams = layout < MOST_CHANNELS ? layout + 1 : 2;
        if (layout > 10 || streams != channels) {
            throw damaged("has a frame of another number of channels at byte " + start);
        }
        long[][] decoded = new long[streams][];
        for (int i = 0; i < streams; i++) {
            boolean side = layout == 8 && i == 1 || layout == 9 && i == 0 || layout == 10 && i == 1;
            decoded[i] = subframe(size, side ? own + 1 : own);
        }
        undo(layout, decoded);
        at = (at + 7) / 8 * 8;
        int end = (int) (at / 8);
        if (read(16) != checksum(bytes, start, end)) {
            throw damaged("is damaged in the frame at byte " + start);
        }
        append(decoded, size, own);
    }

    /** Skips the number of the frame or of its first sample, coded as in UTF-8. */
    private void skipNumber() {
        int first = (int) read(8);
        int more = Integer.numberOfLeadingZeros(~(first << 24)) - 1;
        if (more == 0 || more > 6) {
            throw damagedAt();
        }
        for (int i = 0; i < more; i++) {
            read(8);
        }
    }

    private int size(int code) {
        return switch (code) {
            case 0 -> throw damagedAt();
            case 1 -> 192;
            case 2, 3, 4, 5 -> 576 << code - 2;
            case 6 -> (int) read(8) + 1;
            case 7 -> (int) read(16) + 1;
            default -> 256 << code - 8;
        };
    }

    private int bits(int code) {
        return switch (code) {
            case 0 -> bits;
            case 1 -> 8;
            case 2 -> 12;
            case 4 -> 16;
            case 5 -> 20;
            case 6 -> 24;
            case 7 -> 32;
            default -> throw damagedAt();
        };
    }

    private long[] subframe(int size, int width) {
        if (read(1) != 0) {
            throw damagedAt();
        }
        int type = (int) read(6);
        int wasted = 0;
        if (read(1) == 1) {
            wasted = unary() + 1;
        }
        int own = width - wasted;
        if (own < 1) {
            throw damagedAt();
        }
        long[] values = new long[size];
        if (type == 0) {
            Arrays.fill(values, signed(own));
        } else if (type == 1) {
            for (int i = 0; i < size; i++) {
                values[i] = signed(own);
            }
        } else if (type >= 8 && type <= 12) {
            fixed(values, type - 8, own);
        } else if (type >= 32) {
            predicted(values, type - 31, own);
        } else {
            throw damagedAt();
        }
        for (int i = 0; wasted > 0 && i < size; i++) {
            values[i] <<= wasted;
        }
        return values;
    }

    private void fixed(long[] values, int order, int width) {
        warmUp(values, order, width);
        residuals(values, order);
        for (int i = order; i < values.length; i++) {
            values[i] += switch (order) {
                case 0 -> 0;
                case 1 -> values[i - 1];
                case 2 -> 2 * values[i - 1] - values[i - 2];
                case 3 -> 3 * values[i - 1] - 3 * values[i - 2] + values[i - 3];
                default -> 4 * values[i - 1] - 6 * values[i - 2] + 4 * values[i - 3] - values[i - 4];
            };
        }
    }

    private void predicted(long[] values, int order, int width) {
        warmUp(values, order, width);
        int precision = (int) read(4) + 1;
        int shift = (int) signed(5);
        if (precision == 16 || shift < 0) {
            throw damagedAt();
        }
        long[] factors = new long[order];
        for (int i = 0; i < order; i++) {
            factors[i] = signed(precision);
        }
        residuals(values, order);
        for (int i = order; i < values.length; i++) {
            long sum = 0;
            for (int k = 0; k < order; k++) {
                sum += factors[k] * values[i - 1 - k];
            }
            values[i] += sum >> shift;
        }
    }

    private void warmUp(long[] values, int order, int width) {
        if (order > values.length) {
            throw damagedAt();
        }
        for (int i = 0; i < order; i++) {
            values[i] = signed(width);
        }
    }

    private void residuals(long[] values, int order) {
        int method = (int) read(2);
        if (method > 1) {
            throw damagedAt();
        }
        int width = method == 0 ? 4 : 5;
        int parts = 1 << (int) read(4);
        int each = values.length / parts;
        if (each * parts != values.length || each < order) {
            throw damagedAt();
        }
        for (int part = 0; part < parts; part++) {
            int parameter = (int) read(width);
            boolean plain = parameter == (1 << width) - 1;
            int plainWidth = plain ? (int) read(5) : 0;
            for (int i = part == 0 ? order : part * each; i < (part + 1) * each; i++) {
                if (plain) {
                    values[i] = plainWidth == 0 ? 0 : signed(plainWidth);
                } else {
                    long folded = (long) unary() << parameter | read(parameter);
                    values[i] = folded >>> 1 ^ -(folded & 1);
                }
            }
        }
    }

    private static void undo(int layout, long[][] decoded) {
        for (int i = 0; layout >= 8 && i < decoded[0].length; i++) {
            long a = decoded[0][i];
            long b = decoded[1][i];
            if (layout == 8) {
                decoded[1][i] = a - b;
            } else if (layout == 9) {
                decoded[0][i] = a + b;
            } else {
                long middle = a << 1 | b & 1;
                decoded[0][i] = middle + b >> 1;
                decoded[1][i] = middle - b >> 1;
            }
        }
    }

    private void append(long[][] decoded, int size, int width) {
        // Its header needn't say how many there are.
        if (count + size > most) {
            throw tooLong.get();
        }
        if (count + size > samples.length) {
            samples = Arrays.copyOf(samples, Math.max(2 * samples.length, count + size));
        }
        double scale = 1.0 / ((1L << width - 1) * decoded.length);
        for (int i = 0; i < size; i++) {
            long sum = 0;
            for (long[] channel : decoded) {
                sum += channel[i];
            }
            samples[count++] = (float) (sum * scale);
        }
    }

    /** CRC-16 with the polynomial x^16 + x^15 + x^2 + 1. */
    static int checksum(byte[] bytes, int start, int end) {
        int crc = 0;
        for (int i = start; i < end; i++) {
            crc ^= (bytes[i] & 0xff) << 8;
            for (int bit = 0; bit < 8; bit++) {
                crc = (crc & 0x8000) != 0 ? crc << 1 ^ 0x8005 : crc << 1;
            }
        }
        return crc & 0xffff;
    }

    private int unary() {
        int zeros = 0;
        while (read(1) == 0) {
            zeros++;
        }
        return zeros;
    }

    private long signed(int width) {
        long value = read(width);
        return value << 64 - width >> 64 - width;
    }

    /** Reads the next bits, at most 36 of them, as a whole number. */
    private long read(int width) {
        if (at + width > 8L * bytes.length) {
            throw damaged("ends in the middle of a frame");
        }
        long value = 0;
        int left = width;
        while (left > 0) {
            int offset = (int) (at & 7);
            int taken = Math.min(left, 8 - offset);
            int part = (bytes[(int) (at >> 3)] & 0xff) >> 8 - offset - taken & (1 << taken) - 1;
            value = value << taken | part;
            at += taken;
            left -= taken;
        }
        return value;
    }

    private FormatException damagedAt() {
        return damaged("is damaged at byte " + at / 8);
    }

    private FormatException damaged(String what) {
        return new FormatException(file, what);
    }
}
