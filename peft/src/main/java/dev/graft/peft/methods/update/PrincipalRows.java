package dev.graft.peft.methods.update;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Linear;
import dev.graft.peft.inits.Svd;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A layer's weight, with its bias as one more column, in its first r singular directions, and the clusters of its rows
 * there. PEFT has these as {@code slice_pca} and {@code clustering_Z}. They are computed on first use.
 */
final class PrincipalRows {
    private static final int ITERATIONS = 2;
    private static final int STEPS = 10;
    private static final int KMEANS_SEED = 123456789;

    private final Linear site;
    private final long r;
    private final int seed;
    private @Nullable Svd found;

    PrincipalRows(Linear site, long r, int seed) {
        this.site = site;
        this.r = r;
        this.seed = seed;
    }

    /** The columns of the weight and its bias. */
    static long columns(Linear site) {
        return site.in() + (site.bias() == null ? 0 : 1);
    }

    private Svd svd() {
        if (found == null) {
            found = find();
        }
        return found;
    }

    private Svd find() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor weight = Ops.to(site.weight(), ScalarType.Float);
            Tensor bias = site.bias();
            Tensor whole = bias == null
                    ? weight
                    : Ops.cat(1, weight, Ops.to(bias, ScalarType.Float).unsqueeze(1));
            Svd svd = Svd.lowRank(whole, r, ITERATIONS, seed);
            return new Svd(
                    scope.release(svd.u().contiguous()),
                    scope.release(svd.s().contiguous()),
                    scope.release(svd.v().contiguous()));
        }
    }

    /** {@code [r, columns]}. */
    Tensor directions() {
        return svd().v();
    }

    /** Returns the cluster of each row, {@code [out]}. */
    Tensor clusters(int most) {
        int rows = Math.toIntExact(site.out());
        int clusters = Math.min(most, rows);
        double[] flat = Tensors.doubles(svd().u());
        double[][] values = new double[rows][Math.toIntExact(r)];
        for (int i = 0; i < flat.length; i++) {
            values[i / (int) r][i % (int) r] = flat[i];
        }
        int[] labels = KMeans.labels(values, clusters, STEPS, KMEANS_SEED);
        long[] wide = new long[rows];
        boolean[] there = new boolean[clusters];
        for (int i = 0; i < rows; i++) {
            wide[i] = labels[i];
            there[labels[i]] = true;
        }
        for (boolean has : there) {
            if (!has) {
                throw new InputException("num_subspaces: the rows of " + site.name() + " don't fall into " + clusters
                        + " clusters; choose fewer, or leave the layer out");
            }
        }
        return Tensors.of(wide, rows);
    }

    /** The first singular directions of some rows, {@code [rank, r]}. */
    Tensor directions(Tensor rows, long rank) {
        return Svd.of(svd().u().index_select(0, rows)).v().narrow(0, 0, rank);
    }

    /** Returns the number of squared singular values of some rows that exceed a share of the largest one. */
    long significant(Tensor rows, double share) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            double[] values =
                    Tensors.doubles(Svd.of(svd().u().index_select(0, rows)).s());
            long count = 0;
            for (double value : values) {
                count += value * value > share * values[0] * values[0] ? 1 : 0;
            }
            return count;
        }
    }
}
