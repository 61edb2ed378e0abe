package dev.graft.formats.quantized;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * Levels in [-1, 1]. The values of a block are divided by their absolute maximum and rounded to these levels. Codes are indices of levels.
 *
 * <p>Sources: QLoRA (Dettmers et al. 2023, appendix E), 8-bit optimizers (Dettmers et al. 2022, section 1.3), bitsandbytes 0.50. Unlike
 * bitsandbytes, the nearest level is always found, also in near ties.
 *
 * <pre>{@code
 * Codebook.Blocks blocks = Codebook.NF4.quantize(weights, 64);
 * float[] rounded = Codebook.NF4.dequantize(blocks.codes(), blocks.absmax(), 64);
 * }</pre>
 */
public final class Codebook {
    /** NormalFloat: sixteen quantiles of the normal distribution, zero among them. */
    public static final Codebook NF4 = new Codebook(
            -1.0f,
            -0.6961928009986877f,
            -0.5250730514526367f,
            -0.39491748809814453f,
            -0.28444138169288635f,
            -0.18477343022823334f,
            -0.09105003625154495f,
            0.0f,
            0.07958029955625534f,
            0.16093020141124725f,
            0.24611230194568634f,
            0.33791524171829224f,
            0.44070982933044434f,
            0.5626170039176941f,
            0.7229568362236023f,
            1.0f);

    /** A sign bit, two bits of exponent, one of mantissa, scaled to a largest value of 1. */
    public static final Codebook FP4 = new Codebook(
            0.0f,
            0.0052083333f,
            0.66666667f,
            1.0f,
            0.33333333f,
            0.5f,
            0.16666667f,
            0.25f,
            -0.0f,
            -0.0052083333f,
            -0.66666667f,
            -1.0f,
            -0.33333333f,
            -0.5f,
            -0.16666667f,
            -0.25f);

    /** The dynamic type: eight bits, signed, with an exponent of variable length. */
    public static final Codebook DYNAMIC = new Codebook(dynamic());

    private final float[] levels;
    private final byte[] ordered;
    private final float[] midpoints;

    /**
     * Codes of a block-wise quantisation.
     *
     * @param codes one for each value
     * @param absmax the absolute maximum of each block
     */
    public record Blocks(byte[] codes, float[] absmax) {}

    /** A table of up to 256 levels in any order. */
    public Codebook(float... levels) {
        this.levels = levels.clone();
        Integer[] order = IntStream.range(0, levels.length).boxed().toArray(Integer[]::new);
        // Zero and minus zero are equal here, as where bitsandbytes' tables come from.
        Arrays.sort(order, Comparator.comparingDouble(i -> levels[i] + 0.0));
        ordered = new byte[levels.length];
        midpoints = new float[levels.length - 1];
        for (int i = 0; i < levels.length; i++) {
            ordered[i] = (byte) (int) order[i];
            if (i > 0) {
                midpoints[i - 1] = (levels[order[i - 1]] + levels[order[i]]) / 2;
            }
        }
    }

    private static float[] dynamic() {
        float[] levels = new float[256];
        int count = 0;
        for (int exponent = 0; exponent < 7; exponent++) {
            int intervals = 1 << exponent;
            float scale = (float) Math.pow(10, exponent - 6);
            for (int i = 0; i < intervals; i++) {
                float low = (float) (0.1 + i * (0.9 / intervals));
                float high = i == intervals - 1 ? 1 : (float) (0.1 + (i + 1) * (0.9 / intervals));
                float level = scale * ((low + high) / 2);
                levels[count++] = level;
                levels[count++] = -level;
            }
        }
        levels[count++] = 0;
        levels[count] = 1;
        Arrays.sort(levels);
        return levels;
    }

    /** The levels in the order of their codes. */
    public float[] levels() {
        return levels.clone();
    }

    /** Returns the code of the level nearest to x, the lower one in a tie. */
    public byte nearest(float x) {
        int from = 0;
        int to = midpoints.length;
        while (from < to) {
            int middle = (from + to) >>> 1;
            if (midpoints[middle] < x) {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        return ordered[from];
    }

    /** Quantises values in blocks of that length; the last one may be shorter. */
    public Blocks quantize(float[] values, int block) {
        byte[] codes = new byte[values.length];
        float[] absmax = new float[(values.length + block - 1) / block];
        IntStream.range(0, absmax.length).parallel().forEach(b -> {
            int end = Math.min(values.length, (b + 1) * block);
            float max = 0;
            for (int i = b * block; i < end; i++) {
                max = Math.max(max, Math.abs(values[i]));
            }
            absmax[b] = max;
            for (int i = b * block; i < end; i++) {
                codes[i] = nearest(max > 0 ? values[i] / max : 0);
            }
        });
        return new Blocks(codes, absmax);
    }

    /** Decodes the values of codes. */
    public float[] dequantize(byte[] codes, float[] absmax, int block) {
        float[] values = new float[codes.length];
        for (int i = 0; i < codes.length; i++) {
            values[i] = levels[codes[i] & 0xff] * absmax[i / block];
        }
        return values;
    }

    /**
     * Packs two four-bit codes into a byte, the earlier one in the upper half. An odd number is filled up with the code of zero.
     */
    public byte[] pack(byte[] codes) {
        byte[] packed = new byte[(codes.length + 1) / 2];
        for (int i = 0; i < packed.length; i++) {
            int second = 2 * i + 1 < codes.length ? codes[2 * i + 1] : nearest(0);
            packed[i] = (byte) (codes[2 * i] << 4 | second);
        }
        return packed;
    }
}
