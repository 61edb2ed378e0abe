package dev.graft.models.arch;

import dev.graft.models.Pass;
import org.bytedeco.pytorch.Tensor;

/** How one layer gives queries, keys and values. */
enum QueryKeyValue {
    /** All queries, then all keys, then all values. */
    PARTS,
    /** The queries, keys and values of one head behind those of the head before. */
    HEADS;

    /**
     * Queries, keys and values, each with all its heads together.
     *
     * @param x {@code [batch, seq, (heads + 2 · keyValues) · headDim]}
     * @param keyValues the number of heads of keys and values; that of queries where they come by heads
     */
    Tensor[] split(Tensor x, int heads, int keyValues, Pass pass) {
        long dim = x.size(2) / (heads + 2L * keyValues);
        if (this == PARTS) {
            return pass.split(x, heads * dim, keyValues * dim, keyValues * dim);
        }
        return pass.piece(() -> {
            Tensor split = x.view(x.size(0), x.size(1), heads, 3, dim);
            Tensor[] parts = new Tensor[3];
            for (int i = 0; i < 3; i++) {
                parts[i] = split.select(3, i).flatten(2, 3);
            }
            return parts;
        });
    }
}
