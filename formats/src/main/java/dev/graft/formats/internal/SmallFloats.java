package dev.graft.formats.internal;

/** Conversions between float32 and the 16 and 8 bit floating point types, rounding to nearest, ties to even. */
public final class SmallFloats {

    private static final float[] E4M3 = new float[256];
    private static final float[] E5M2 = new float[256];

    static {
        for (int i = 0; i < 256; i++) {
            E4M3[i] = (i & 0x7f) == 0x7f ? Float.NaN : decode(i, 4, 3);
            // float16 with the lower eight mantissa bits cut off
            E5M2[i] = fromFloat16((short) (i << 8));
        }
    }

    private SmallFloats() {}

    public static float fromFloat16(short half) {
        int sign = (half & 0x8000) << 16;
        int magnitude = half & 0x7fff;
        if (magnitude >= 0x7c00) {
            return Float.intBitsToFloat(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
        }
        if (magnitude < 0x0400) {
            float subnormal = magnitude * 0x1p-24f;
            return sign == 0 ? subnormal : -subnormal;
        }
        return Float.intBitsToFloat(sign | (magnitude << 13) + (112 << 23));
    }

    public static short toFloat16(float value) {
        return (short) encode(value, 5, 10, 0x7c00, 0x7e00);
    }

    public static short toBfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if ((bits & 0x7fffffff) > 0x7f800000) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }

    public static float fromFloat8E4M3(byte bits) {
        return E4M3[bits & 0xff];
    }

    public static byte toFloat8E4M3(float value) {
        return (byte) encode(value, 4, 3, 0x7f, 0x7f);
    }

    public static float fromFloat8E5M2(byte bits) {
        return E5M2[bits & 0xff];
    }

    public static byte toFloat8E5M2(float value) {
        return (byte) encode(value, 5, 2, 0x7c, 0x7e);
    }

    private static float decode(int bits, int exponentBits, int mantissaBits) {
        int bias = (1 << exponentBits - 1) - 1;
        int exponent = bits >> mantissaBits & (1 << exponentBits) - 1;
        int mantissa = bits & (1 << mantissaBits) - 1;
        float magnitude = exponent == 0
                ? Math.scalb((float) mantissa, 1 - bias - mantissaBits)
                : Math.scalb((float) (mantissa + (1 << mantissaBits)), exponent - bias - mantissaBits);
        return bits >> exponentBits + mantissaBits == 0 ? magnitude : -magnitude;
    }

    /** Rounds to a smaller format; magnitudes at or above the code {@code overflow} become that code. */
    private static int encode(float value, int exponentBits, int mantissaBits, int overflow, int nan) {
        int bits = Float.floatToRawIntBits(value);
        int sign = bits >>> 31 << exponentBits + mantissaBits;
        int magnitude = bits & 0x7fffffff;
        if (magnitude > 0x7f800000) {
            return sign | nan;
        }
        int bias = (1 << exponentBits - 1) - 1;
        int drop = 23 - mantissaBits;
        int exponent = (magnitude >>> 23) - 127 + bias;
        int code;
        if (exponent >= 1) {
            int shifted = magnitude - (127 - bias << 23);
            code = shifted + (1 << drop - 1) - 1 + (shifted >>> drop & 1) >>> drop;
        } else {
            // Subnormal: one unit is 2^(1 - bias - mantissaBits). The scaling is by a power of two, so rint rounds
            // once.
            code = (int) Math.rint(Math.scalb((double) Math.abs(value), bias + mantissaBits - 1));
        }
        return sign | Math.min(code, overflow);
    }
}
