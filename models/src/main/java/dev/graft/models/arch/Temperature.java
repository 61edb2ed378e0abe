package dev.graft.models.arch;

import dev.graft.models.Pass;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Scores that grow with a query's position p, so that attention stays sharp in long texts (Nakanishi, 2025, as Llama 4 has it): queries are
 * multiplied by {@code 1 + scale · log(1 + ⌊(p + 1) / floor⌋)}. Positions are those that are turned, so padding doesn't count where they don't
 * count it; transformers counts all.
 *
 * @param floor how many positions have one factor
 */
record Temperature(double floor, double scale) {
    /** The factors {@code [batch or 1, 1, seq, 1]} for positions {@code [batch or 1, seq]}; null where all are 1. */
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

    /** Queries {@code [batch, heads, seq, headDim]} times their factors. */
    static Tensor apply(Tensor queries, @Nullable Tensor factors, Pass pass) {
        return factors == null
                ? queries
                : pass.piece(() -> new Tensor[] {Ops.to(queries.mul(factors), queries.scalar_type())})[0];
    }
}
