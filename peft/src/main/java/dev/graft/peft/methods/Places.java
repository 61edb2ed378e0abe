package dev.graft.peft.methods;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.Parameter.Place;
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
 * Where a few values are in a matrix of zeros.
 *
 * @param flat {@code [n]} int64, row by row
 */
record Places(Tensor flat, long rows, long columns) {
    /** The order in which torch gives the places of matrices for a seed; the same for all matrices of one size. */
    static final class Order {
        private final long seed;
        private final Map<List<Long>, Tensor> known = new HashMap<>();

        Order(long seed) {
            this.seed = seed;
        }

        /** The first n of so many places. */
        Tensor first(long n, long all) {
            return known.computeIfAbsent(List.of(n, all), sizes -> {
                try (Scope scope = new Scope()) {
                    return scope.release(
                            new TorchRng(seed).permutation(all).narrow(0, 0, n).clone());
                }
            });
        }
    }

    /** The first n places of a layer's weight in an order, written beside PEFT's file. */
    static Places first(Grafter g, Linear site, String suffix, Order order, int n) {
        require("n_frequency", n, site);
        Initial drawn = (rng, shape) -> split(order.first(n, site.out() * site.in()), site.in());
        return of(g, site, suffix, Place.BESIDE, drawn, n);
    }

    /** Rows and columns {@code [2, n]} of flat places. */
    static Tensor split(Tensor flat, long columns) {
        Scalar width = new Scalar(columns);
        return torch.cat(
                Tensors.vector(List.of(
                        flat.floor_divide(width).unsqueeze(0),
                        flat.remainder(width).unsqueeze(0))),
                0);
    }

    /** Places that are declared as rows and columns, {@code [2, n]} int32. */
    static Places of(Grafter g, Linear site, String suffix, Place place, Initial drawn, int n) {
        return of(g, site.name() + "." + suffix, place, drawn, n, site.out(), site.in());
    }

    /** The same with a name of their own, in a matrix of these sizes. */
    static Places of(Grafter g, String key, Place place, Initial drawn, int n, long rows, long columns) {
        Tensor indices = g.indices(key, place, drawn, 2, n);
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Tensor wide = Ops.to(indices, ScalarType.Long);
            Tensor row = wide.select(0, 0);
            Tensor column = wide.select(0, 1);
            if (exceeds(row, rows) || exceeds(column, columns)) {
                throw new InputException(key + " has places outside the weight [" + rows + ", " + columns + "]");
            }
            return new Places(scope.release(row.mul(new Scalar(columns)).add(column)), rows, columns);
        }
    }

    private static boolean exceeds(Tensor indices, long bound) {
        return indices.lt(new Scalar(0L)).any().item_bool()
                || indices.ge(new Scalar(bound)).any().item_bool();
    }

    /** Refuses more values than a layer's weight has places, or none. */
    static void require(String field, long n, Linear site) {
        long all = site.out() * site.in();
        if (n < 1 || n > all) {
            throw new InputException(field + " makes " + n + " values for " + site.name() + ", whose weight has " + all
                    + "; expected at least 1 and at most those");
        }
    }

    /** The same places in the middle of a larger matrix. */
    Places within(long newRows, long newColumns) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Scalar width = new Scalar(columns);
            Tensor row = Ops.plusLong(flat.floor_divide(width), (newRows - rows) / 2);
            Tensor column = Ops.plusLong(flat.remainder(width), (newColumns - columns) / 2);
            return new Places(scope.release(row.mul(new Scalar(newColumns)).add(column)), newRows, newColumns);
        }
    }

    /** The matrix with these values times the rows of x {@code [m, columns]}, without making it: {@code [m, rows]}. */
    Tensor times(Tensor values, Tensor x) {
        Scalar width = new Scalar(columns);
        Tensor taken = x.index_select(1, flat.remainder(width)).mul(values);
        return torch.zeros(new long[] {x.size(0), rows}, taken.options()).index_add(1, flat.floor_divide(width), taken);
    }

    /** The matrix with these values. */
    Tensor scatter(Tensor values) {
        return Tensors.zeros(values.scalar_type(), rows * columns)
                .index_add(0, flat, values)
                .view(rows, columns);
    }
}
