package dev.graft.peft.methods.update;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Parameter.Storage;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.TorchRng;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The places of a few values in a matrix of zeros.
 *
 * @param flat the row-major places, {@code [n]} int64
 */
record SparseIndices(Tensor flat, long rows, long columns) {
    /** The order of torch's random places for a seed, equal for all matrices of one size. */
    static final class TorchPermutation {
        private final long seed;
        private final Map<List<Long>, Tensor> known = new HashMap<>();

        TorchPermutation(long seed) {
            this.seed = seed;
        }

        /** Returns the first n of {@code all} places. */
        Tensor first(long n, long all) {
            return known.computeIfAbsent(List.of(n, all), sizes -> {
                try (Scope scope = new Scope()) {
                    return scope.release(
                            new TorchRng(seed).permutation(all).narrow(0, 0, n).clone());
                }
            });
        }
    }

    /** Declares the first n places of a layer's weight in an order, which are written beside PEFT's file. */
    static SparseIndices first(Grafter g, Linear site, String suffix, TorchPermutation order, int n) {
        requireCount("n_frequency", n, site);
        Initializer drawn = (rng, shape) -> rowsAndColumns(order.first(n, site.out() * site.in()), site.in());
        return of(g, site, suffix, Storage.GRAFT_FILE, drawn, n);
    }

    /** Returns rows and columns {@code [2, n]} of flat places. */
    static Tensor rowsAndColumns(Tensor flat, long columns) {
        Scalar width = new Scalar(columns);
        return torch.cat(
                Tensors.vector(List.of(
                        flat.floor_divide(width).unsqueeze(0),
                        flat.remainder(width).unsqueeze(0))),
                0);
    }

    /** Declares places as rows and columns, {@code [2, n]} int32. */
    static SparseIndices of(Grafter g, Linear site, String suffix, Storage storage, Initializer drawn, int n) {
        return of(g, site.name() + "." + suffix, storage, drawn, n, site.out(), site.in());
    }

    /** Declares places under their own name, in a matrix of these sizes. */
    static SparseIndices of(Grafter g, String key, Storage storage, Initializer drawn, int n, long rows, long columns) {
        Tensor indices = g.indices(key, storage, drawn, 2, n);
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor wide = Ops.to(indices, ScalarType.Long);
            Tensor row = wide.select(0, 0);
            Tensor column = wide.select(0, 1);
            if (exceeds(row, rows) || exceeds(column, columns)) {
                throw new InputException(key + " has places outside the weight [" + rows + ", " + columns + "]");
            }
            return new SparseIndices(scope.release(row.mul(new Scalar(columns)).add(column)), rows, columns);
        }
    }

    private static boolean exceeds(Tensor indices, long bound) {
        return indices.lt(new Scalar(0L)).any().item_bool()
                || indices.ge(new Scalar(bound)).any().item_bool();
    }

    /** Refuses a number of values that is not positive or exceeds a layer's weight. */
    static void requireCount(String field, long n, Linear site) {
        long all = site.out() * site.in();
        if (n < 1 || n > all) {
            throw new InputException(field + " makes " + n + " values for " + site.name() + ", whose weight has " + all
                    + "; expected at least 1 and at most those");
        }
    }

    /** Returns these places in the middle of a larger matrix. */
    SparseIndices centredIn(long newRows, long newColumns) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Scalar width = new Scalar(columns);
            Tensor row = Ops.plusLong(flat.floor_divide(width), (newRows - rows) / 2);
            Tensor column = Ops.plusLong(flat.remainder(width), (newColumns - columns) / 2);
            return new SparseIndices(
                    scope.release(row.mul(new Scalar(newColumns)).add(column)), newRows, newColumns);
        }
    }

    /**
     * Multiplies the matrix with these values by the rows of x {@code [m, columns]}, without creating it: {@code [m, rows]}.
     */
    Tensor times(Tensor values, Tensor x) {
        Scalar width = new Scalar(columns);
        Tensor taken = x.index_select(1, flat.remainder(width)).mul(values);
        return torch.zeros(new long[] {x.size(0), rows}, taken.options()).index_add(1, flat.floor_divide(width), taken);
    }

    /** Returns the matrix with these values, {@code [rows, columns]}. */
    Tensor scatter(Tensor values) {
        return Tensors.zeros(values.scalar_type(), rows * columns)
                .index_add(0, flat, values)
                .view(rows, columns);
    }
}
