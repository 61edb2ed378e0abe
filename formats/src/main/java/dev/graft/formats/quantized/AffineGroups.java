package dev.graft.formats.quantized;

import java.util.stream.IntStream;

/**
 * Four-bit codes from 0 to 15 in groups of neighbours in a row; a value is {@code scale · code + bias} of its group. The end of the group's range
 * farther from zero is represented exactly. Source: MLX 0.32, {@code mlx.core.quantize}.
 *
 * @param codes one for each value
 * @param scales one for each group
 * @param biases one for each group
 * @param group the number of values that share a scale and a bias
 */
public record AffineGroups(byte[] codes, float[] scales, float[] biases, int group) {
    private static final int LARGEST = 15;
    private static final float SMALLEST_SCALE = 1e-7f;

    /** Quantises values in groups of that length, which must divide their number. */
    public static AffineGroups quantize(float[] values, int group) {
        if (values.length % group != 0) {
            throw new IllegalArgumentException(values.length + " values in groups of " + group);
        }
        AffineGroups made = new AffineGroups(
                new byte[values.length], new float[values.length / group], new float[values.length / group], group);
        IntStream.range(0, made.scales.length).parallel().forEach(g -> made.fill(values, g));
        return made;
    }

    private void fill(float[] values, int g) {
        float low = Float.POSITIVE_INFINITY;
        float high = Float.NEGATIVE_INFINITY;
        for (int i = g * group; i < (g + 1) * group; i++) {
            low = Math.min(low, values[i]);
            high = Math.max(high, values[i]);
        }
        boolean negative = Math.abs(low) > Math.abs(high);
        float step = Math.max((high - low) / LARGEST, SMALLEST_SCALE);
        float end = negative ? low : high;
        float scale = negative ? step : -step;
        float steps = (float) Math.rint(end / scale);
        scales[g] = steps == 0 ? scale : end / steps;
        biases[g] = steps == 0 ? 0 : end;
        for (int i = g * group; i < (g + 1) * group; i++) {
            codes[i] = (byte) Math.max(0, Math.min(LARGEST, Math.rint((values[i] - biases[g]) / scales[g])));
        }
    }

    /** Decodes the values. */
    public float[] dequantize() {
        float[] values = new float[codes.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = scales[i / group] * codes[i] + biases[i / group];
        }
        return values;
    }

    /** Packs two codes into a byte, the earlier one in the lower half. */
    public byte[] packed() {
        byte[] packed = new byte[codes.length / 2];
        for (int i = 0; i < packed.length; i++) {
            packed[i] = (byte) (codes[2 * i] | codes[2 * i + 1] << 4);
        }
        return packed;
    }
}
