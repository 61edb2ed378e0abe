package dev.graft.models.arch;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A bias of attention scores for each head, by the distance from a query to a key (Raffel et al., 2020, as used in
 * MPNet). Half of the 32 buckets are for each direction. Half of those are for single positions, the rest for distances
 * that grow geometrically, up to 128.
 *
 * @param table {@code [32, heads]}
 */
record BucketedPositionBias(Tensor table) {
    private static final int HALF = 16;
    private static final int EXACT = HALF / 2;
    private static final int FARTHEST = 128;

    /** Returns the bias {@code [1, heads, width, width]} of {@code width} positions. */
    Tensor bias(long width, ScalarType type) {
        int n = Math.toIntExact(width);
        long[] buckets = new long[n * n];
        for (int query = 0; query < n; query++) {
            for (int key = 0; key < n; key++) {
                buckets[query * n + key] = bucket(key - query);
            }
        }
        Tensor values = Ops.embedding(table, Tensors.of(buckets, width, width));
        return Ops.to(values, type).permute(2, 0, 1).unsqueeze(0);
    }

    private static int bucket(int ahead) {
        int away = Math.abs(ahead);
        int direction = ahead > 0 ? HALF : 0;
        if (away < EXACT) {
            return direction + away;
        }
        // In fp32, as the reference works it out.
        float logarithm = (float) Math.log((float) away / EXACT) / (float) Math.log((double) FARTHEST / EXACT);
        return direction + Math.min(HALF - 1, EXACT + (int) (logarithm * (HALF - EXACT)));
    }
}
