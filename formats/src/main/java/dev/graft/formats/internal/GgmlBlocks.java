package dev.graft.formats.internal;

/**
 * Decoders of quantised blocks to float32, with the order of operations, and so the bits, of {@code ggml-quants.c}. Loops run over heap arrays
 * with constant trip counts, which the JIT compiler vectorises.
 */
public final class GgmlBlocks {

    private GgmlBlocks() {}

    /** Decodes {@code blocks} blocks of {@code in} from byte {@code at} on to the start of {@code out}. */
    @FunctionalInterface
    public interface Decoder {
        void decode(byte[] in, int at, float[] out, int outAt);
    }

    private static float half(byte[] in, int at) {
        return SmallFloats.fromFloat16((short) (in[at] & 0xff | in[at + 1] << 8));
    }

    private static int int32(byte[] in, int at) {
        return in[at] & 0xff | (in[at + 1] & 0xff) << 8 | (in[at + 2] & 0xff) << 16 | in[at + 3] << 24;
    }

    public static void q4_0(byte[] in, int at, float[] out, int o) {
        float d = half(in, at);
        for (int i = 0; i < 16; i++) {
            int q = in[at + 2 + i];
            out[o + i] = d * ((q & 15) - 8);
            out[o + 16 + i] = d * ((q >> 4 & 15) - 8);
        }
    }

    public static void q4_1(byte[] in, int at, float[] out, int o) {
        float d = half(in, at);
        float m = half(in, at + 2);
        for (int i = 0; i < 16; i++) {
            int q = in[at + 4 + i];
            out[o + i] = d * (q & 15) + m;
            out[o + 16 + i] = d * (q >> 4 & 15) + m;
        }
    }

    public static void q5_0(byte[] in, int at, float[] out, int o) {
        float d = half(in, at);
        int high = int32(in, at + 2);
        for (int i = 0; i < 16; i++) {
            int q = in[at + 6 + i];
            out[o + i] = d * ((q & 15 | (high >>> i & 1) << 4) - 16);
            out[o + 16 + i] = d * ((q >> 4 & 15 | (high >>> i + 16 & 1) << 4) - 16);
        }
    }

    public static void q5_1(byte[] in, int at, float[] out, int o) {
        float d = half(in, at);
        float m = half(in, at + 2);
        int high = int32(in, at + 4);
        for (int i = 0; i < 16; i++) {
            int q = in[at + 8 + i];
            out[o + i] = d * (q & 15 | (high >>> i & 1) << 4) + m;
            out[o + 16 + i] = d * (q >> 4 & 15 | (high >>> i + 16 & 1) << 4) + m;
        }
    }

    public static void q8_0(byte[] in, int at, float[] out, int o) {
        float d = half(in, at);
        for (int i = 0; i < 32; i++) {
            out[o + i] = d * in[at + 2 + i];
        }
    }

    public static void q2K(byte[] in, int at, float[] out, int o) {
        float d = half(in, at + 80);
        float dMin = half(in, at + 82);
        for (int group = 0; group < 16; group++) {
            int scale = in[at + group];
            float dl = d * (scale & 15);
            float ml = dMin * (scale >> 4 & 15);
            int shift = 2 * (group >> 1 & 3);
            int q = at + 16 + 32 * (group >> 3) + 16 * (group & 1);
            for (int i = 0; i < 16; i++) {
                out[o + 16 * group + i] = dl * (in[q + i] >> shift & 3) - ml;
            }
        }
    }

    public static void q3K(byte[] in, int at, float[] out, int o) {
        float d = half(in, at + 108);
        for (int group = 0; group < 16; group++) {
            int low = in[at + 96 + (group & 7)] >> 4 * (group >> 3) & 15;
            int high = in[at + 104 + (group & 3)] >> 2 * (group >> 2) & 3;
            float dl = d * ((low | high << 4) - 32);
            int shift = 2 * (group >> 1 & 3);
            int bit = group >> 1;
            int q = at + 32 + 32 * (group >> 3) + 16 * (group & 1);
            int mask = at + 16 * (group & 1);
            for (int i = 0; i < 16; i++) {
                out[o + 16 * group + i] = dl * ((in[q + i] >> shift & 3) - (4 - (in[mask + i] >> bit & 1) * 4));
            }
        }
    }

    public static void q4K(byte[] in, int at, float[] out, int o) {
        float d = half(in, at);
        float dMin = half(in, at + 2);
        for (int group = 0; group < 8; group++) {
            float dl = d * scale(in, at + 4, group);
            float ml = dMin * min(in, at + 4, group);
            int shift = 4 * (group & 1);
            int q = at + 16 + 32 * (group >> 1);
            for (int i = 0; i < 32; i++) {
                out[o + 32 * group + i] = dl * (in[q + i] >> shift & 15) - ml;
            }
        }
    }

    public static void q5K(byte[] in, int at, float[] out, int o) {
        float d = half(in, at);
        float dMin = half(in, at + 2);
        for (int group = 0; group < 8; group++) {
            float dl = d * scale(in, at + 4, group);
            float ml = dMin * min(in, at + 4, group);
            int shift = 4 * (group & 1);
            int q = at + 48 + 32 * (group >> 1);
            for (int i = 0; i < 32; i++) {
                int high = in[at + 16 + i] >> group & 1;
                out[o + 32 * group + i] = dl * (in[q + i] >> shift & 15 | high << 4) - ml;
            }
        }
    }

    public static void q6K(byte[] in, int at, float[] out, int o) {
        float d = half(in, at + 208);
        for (int group = 0; group < 16; group++) {
            float dl = d * in[at + 192 + group];
            int low = at + 64 * (group >> 3) + 16 * (group & 3);
            int lowShift = 4 * (group >> 2 & 1);
            int high = at + 128 + 32 * (group >> 3) + 16 * (group & 1);
            int highShift = 2 * (group >> 1 & 3);
            for (int i = 0; i < 16; i++) {
                int q = in[low + i] >> lowShift & 15 | (in[high + i] >> highShift & 3) << 4;
                out[o + 16 * group + i] = dl * (q - 32);
            }
        }
    }

    /** Six bits of scale for one of eight groups, packed with the minima into twelve bytes. */
    private static int scale(byte[] in, int at, int group) {
        return group < 4 ? in[at + group] & 63 : in[at + 4 + group] & 15 | (in[at + group - 4] >> 6 & 3) << 4;
    }

    private static int min(byte[] in, int at, int group) {
        return group < 4 ? in[at + 4 + group] & 63 : in[at + 4 + group] >> 4 & 15 | (in[at + group] >> 6 & 3) << 4;
    }
}
