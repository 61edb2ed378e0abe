package dev.graft.formats.quantized;

/**
 * Scales that are quantised themselves, around their mean. Source: QLoRA (Dettmers et al. 2023, section 3), double quantisation.
 *
 * @param codes one for each scale
 * @param absmax of each block of scales, of what they differ from the mean
 * @param offset the mean of the scales
 * @param block how many scales share an absolute maximum
 */
public record NestedScales(Codebook codebook, byte[] codes, float[] absmax, float offset, int block) {
    /** How many scales bitsandbytes puts in a block. */
    public static final int BLOCK = 256;

    /** Quantises scales in eight bits of the dynamic type. */
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

    /** The scales that the codes stand for. */
    public float[] dequantize() {
        float[] scales = codebook.dequantize(codes, absmax, block);
        for (int i = 0; i < scales.length; i++) {
            scales[i] += offset;
        }
        return scales;
    }
}
