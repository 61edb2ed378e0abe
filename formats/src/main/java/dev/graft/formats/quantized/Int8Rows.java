package dev.graft.formats.quantized;

/**
 * A matrix in eight bits: each row is divided by its absolute maximum and multiplied by 127. Source: LLM.int8() (Dettmers et al. 2022, section
 * 2), its vector-wise part without the separate outlier columns.
 *
 * @param codes -127 to 127, row-major
 * @param absmax of each row
 */
public record Int8Rows(byte[] codes, float[] absmax) {
    /** Quantises a matrix with that many columns; halves are rounded to the even code. */
    public static Int8Rows quantize(float[] values, int columns) {
        byte[] codes = new byte[values.length];
        float[] absmax = new float[columns == 0 ? 0 : values.length / columns];
        for (int row = 0; row < absmax.length; row++) {
            float max = 0;
            for (int i = row * columns; i < (row + 1) * columns; i++) {
                max = Math.max(max, Math.abs(values[i]));
            }
            absmax[row] = max;
            float scale = max > 0 ? 127 / max : 0;
            for (int i = row * columns; i < (row + 1) * columns; i++) {
                codes[i] = (byte) Math.max(-127, Math.min(127, Math.rint(values[i] * scale)));
            }
        }
        return new Int8Rows(codes, absmax);
    }

    /** Decodes the values. */
    public float[] dequantize() {
        float[] values = new float[codes.length];
        int columns = absmax.length == 0 ? 0 : codes.length / absmax.length;
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) ((double) codes[i] * absmax[i / columns] / 127);
        }
        return values;
    }
}
