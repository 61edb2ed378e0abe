package dev.graft.models.arch;

import dev.graft.models.Pass;
import org.bytedeco.pytorch.Tensor;

/**
 * How one layer gives queries, keys and values: its rows fall into groups of heads, each of which has queries, then keys and values.
 *
 * @param groups how many; 1 where all queries come before all keys
 * @param valuesFirst whether the values of a group stand before its keys
 */
record QueryKeyValue(int groups, boolean valuesFirst) {
    /** All queries, then all keys, then all values. */
    static final QueryKeyValue PARTS = new QueryKeyValue(1, false);

    QueryKeyValue(int groups) {
        this(groups, false);
    }

    /**
     * Queries, keys and values, each with all its heads together.
     *
     * @param x {@code [batch, seq, (heads + 2 · keyValues) · headDim]}
     * @param keyValues the number of heads of keys, and of values
     */
    Tensor[] split(Tensor x, int heads, int keyValues, Pass pass) {
        long dim = x.size(2) / (heads + 2L * keyValues);
        long queries = heads * dim / groups;
        long keys = keyValues * dim / groups;
        if (groups == 1) {
            return ordered(pass.split(x, queries, keys, keys));
        }
        return pass.piece(() -> {
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
