package dev.graft.train.optim;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * 8 bits a value: blocks of 256 values are divided by their largest magnitude and rounded to the nearest of 256 levels, which are dense
 * near 0 and cover seven powers of ten (Dettmers et al., 2022, "8-bit Optimizers via Block-wise Quantization"; the dynamic map of
 * bitsandbytes).
 *
 * @param levels {@code [256]}, rising from -1 or 0 to 1
 * @param bounds half-way between neighbouring levels, {@code [255]}
 */
record DynamicQuantization(Tensor levels, Tensor bounds) {
    static final int BLOCK = 256;
    private static final int DECADES = 7;

    /** Values in their code: {@code [blocks, 256]} bytes, the last block filled up with zeros, and the largest magnitude of each block. */
    record QuantizedValues(Tensor codes, Tensor largest) {
        static QuantizedValues zeros(DynamicQuantization code, long values) {
            try (Scope scope = new Scope()) {
                long blocks = (values + BLOCK - 1) / BLOCK;
                QuantizedValues quantized = new QuantizedValues(
                        scope.release(Tensors.zeros(ScalarType.Byte, blocks, BLOCK)),
                        scope.release(Tensors.zeros(ScalarType.Float, blocks)));
                code.quantize(Tensors.zeros(ScalarType.Float, values), quantized);
                return quantized;
            }
        }
    }

    static DynamicQuantization of(boolean signed) {
        float[] levels = levels(signed);
        float[] bounds = new float[levels.length - 1];
        for (int i = 0; i < bounds.length; i++) {
            bounds[i] = (levels[i] + levels[i + 1]) / 2;
        }
        try (Scope scope = new Scope()) {
            return new DynamicQuantization(
                    scope.release(Tensors.of(levels, levels.length)), scope.release(Tensors.of(bounds, bounds.length)));
        }
    }

    /** Levels: in decade i from the smallest, 2^i levels (twice as many without signs) in the middle of equal parts of [0.1, 1]; then 0 and 1. */
    private static float[] levels(boolean signed) {
        float[] levels = new float[BLOCK];
        int n = 0;
        levels[n++] = 0;
        levels[n++] = 1;
        for (int decade = 0; decade < DECADES; decade++) {
            int parts = signed ? 1 << decade : 2 << decade;
            float scale = (float) Math.pow(10, decade - (DECADES - 1));
            float[] boundaries = boundaries(parts);
            for (int i = 0; i < parts; i++) {
                float level = scale * ((boundaries[i] + boundaries[i + 1]) / 2);
                levels[n++] = level;
                if (signed) {
                    levels[n++] = -level;
                }
            }
        }
        Arrays.sort(levels);
        return levels;
    }

    private static float[] boundaries(int parts) {
        try (Scope scope = new Scope()) {
            return Tensors.floats(torch.linspace(new Scalar(0.1), new Scalar(1.0), parts + 1));
        }
    }

    /** The values, {@code [count]}. */
    Tensor dequantize(QuantizedValues quantized, long count) {
        Tensor scaled = levels.index_select(0, Ops.to(quantized.codes.reshape(-1), ScalarType.Int))
                .view(-1, BLOCK)
                .mul_(quantized.largest.unsqueeze(-1));
        return scaled.reshape(-1).narrow(0, 0, count);
    }

    void quantize(Tensor values, QuantizedValues into) {
        long missing = into.codes.numel() - values.numel();
        Tensor whole =
                missing == 0 ? values : Ops.cat(0, values.reshape(-1), Tensors.zeros(values.scalar_type(), missing));
        Tensor blocks = whole.reshape(-1, BLOCK);
        Tensor largest = blocks.abs().amax(new long[] {-1}, false);
        Tensor scaled =
                blocks.mul(largest.clamp_min(new Scalar(1e-38)).reciprocal().unsqueeze(-1));
        into.codes.copy_(torch.bucketize(scaled, bounds, true, false));
        into.largest.copy_(largest);
    }
}
