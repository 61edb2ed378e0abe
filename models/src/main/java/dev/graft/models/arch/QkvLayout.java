package dev.graft.models.arch;

import dev.graft.models.forward.ForwardPass;
import dev.graft.models.layers.LayerOps;
import org.bytedeco.pytorch.Tensor;

/**
 * The layout of queries, keys and values in the output of one layer. Its rows consist of groups of heads; each group
 * has queries, then keys and values.
 *
 * @param groups the number of groups; 1 if all queries precede all keys
 * @param valuesFirst whether the values of a group precede its keys
 */
record QkvLayout(int groups, boolean valuesFirst) {
    /** All queries, then all keys, then all values. */
    static final QkvLayout PARTS = new QkvLayout(1, false);

    QkvLayout(int groups) {
        this(groups, false);
    }

    /**
     * Returns queries, keys and values, each with all its heads together.
     *
     * @param x {@code [batch, seq, (heads + 2 · keyValues) · headDim]}
     * @param keyValues the number of heads of keys, and of values
     */
    Tensor[] split(Tensor x, int heads, int keyValues, ForwardPass pass) {
        long dim = x.size(2) / (heads + 2L * keyValues);
        long queries = heads * dim / groups;
        long keys = keyValues * dim / groups;
        if (groups == 1) {
            return ordered(LayerOps.split(pass, x, queries, keys, keys));
        }
        return pass.segment(() -> {
            Tensor each = x.unflatten(2, groups, queries + 2 * keys);
            return ordered(
                    each.narrow(3, 0, queries).flatten(2, 3),
                    each.narrow(3, queries, keys).flatten(2, 3),
                    each.narrow(3, queries + keys, keys).flatten(2, 3));
        });
    }

    private Tensor[] ordered(Tensor... parts) {
        return valuesFirst ? new Tensor[] {parts[0], parts[2], parts[1]} : parts;
    }
}
