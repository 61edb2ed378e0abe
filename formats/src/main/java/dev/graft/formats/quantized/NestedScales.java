package dev.graft.formats.quantized;

/**
 * Scales that are themselves quantised, around their mean. Source: QLoRA (Dettmers et al. 2023, section 3), double quantisation.
 *
 * @param codes one for each scale
 * @param absmax the largest absolute difference from the mean in each block of scales
 * @param offset the mean of the scales
 * @param block the number of scales that share an absolute maximum
 */
public record NestedScales(Codebook codebook, byte[] codes, float[] absmax, float offset, int block) {
    /** The block size of bitsandbytes. */
    public static final int BLOCK = 256;

    /** Quantises scales in eight bits with {@link Codebook#DYNAMIC}. */
    public static NestedScales of(float[] scales, int block) {
        double sum = 0;
        for (float scale : scales) {
            sum += scale;
        }
        float offset = scales.length == 0 ? 0 : (float) (sum / scales.length);
        float[] around = new float[scales.length];
        for (int i = 0; i < scales.length; i++) {
            around[i] = scales[i] - offset;
        }
        Codebook.Blocks blocks = Codebook.DYNAMIC.quantize(around, block);
        return new NestedScales(Codebook.DYNAMIC, blocks.codes(), blocks.absmax(), offset, block);
    }

    /** Decodes the scales. */
    public float[] dequantize() {
        float[] scales = codebook.dequantize(codes, absmax, block);
        for (int i = 0; i < scales.length; i++) {
            scales[i] += offset;
        }
        return scales;
    }
}
