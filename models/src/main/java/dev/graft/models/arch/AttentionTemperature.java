package dev.graft.models.arch;

import dev.graft.models.forward.ForwardPass;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Attention scores that grow with a query's position p, so that attention stays sharp in long texts (Nakanishi, 2025,
 * as used in Llama 4). Queries are multiplied by {@code 1 + scale · log(1 + ⌊(p + 1) / floor⌋)}. The positions are
 * those of the rotation, so padding counts only where it counts there; transformers counts all.
 *
 * @param floor the number of positions that share a factor
 */
record AttentionTemperature(double floor, double scale) {
    /**
     * Returns the factors {@code [batch or 1, 1, seq, 1]} for positions {@code [batch or 1, seq]}; null if all are 1.
     */
    @Nullable
    Tensor at(Tensor positions) {
        long[] each = Tensors.longs(positions);
        if (Arrays.stream(each).allMatch(position -> position + 1 < floor)) {
            return null;
        }
        float[] factors = new float[each.length];
        for (int i = 0; i < factors.length; i++) {
            factors[i] = (float) (1 + scale * Math.log1p(Math.floor((each[i] + 1) / floor)));
        }
        return Tensors.of(factors, positions.size(0), 1, positions.size(1), 1);
    }

    /** Multiplies queries {@code [batch, heads, seq, headDim]} by their factors. */
    static Tensor apply(Tensor queries, @Nullable Tensor factors, ForwardPass pass) {
        return factors == null
                ? queries
                : pass.segment(() -> new Tensor[] {Ops.to(queries.mul(factors), queries.scalar_type())})[0];
    }
}
