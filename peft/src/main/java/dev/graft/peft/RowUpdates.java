package dev.graft.peft;

import dev.graft.models.matrices.Matrix;
import dev.graft.peft.inits.Factors;
import dev.graft.tensor.Ops;
import dev.graft.tensor.RowProducts;
import dev.graft.tensor.Tensors;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Low-rank updates, one for each row, of layers that are given the same input: with A and B of the row that a text is assigned to, {@code x Aᵀ Bᵀ} of each layer, side by
 * side, by two products for all layers. B is kept in blocks as wide as all outputs allow.
 */
final class RowUpdates implements AutoCloseable {
    private final List<Matrix> layers;
    private final int rank;
    private final RowProducts products;
    private final RowProducts.Matrices a;
    private final RowProducts.Matrices b;
    /** Where the numbers for each block of B begin among those that A gives for all layers. */
    private final Tensor places;

    /** All of them, where they aren't one after another. */
    private final @Nullable Tensor columns;

    /**
     * Zeros for so many rows.
     *
     * @param layers the matrices of the layers
     */
    RowUpdates(RowProducts products, List<Matrix> layers, int rows, int rank) {
        this.products = products;
        this.layers = layers;
        this.rank = rank;
        Matrix first = layers.get(0);
        int width = layers.stream()
                .map(layer -> BigInteger.valueOf(layer.rows()))
                .reduce(BigInteger.ZERO, BigInteger::gcd)
                .intValueExact();
        int blocks = (int) (start(layers.size()) / width);
        a = RowProducts.Matrices.zeros(first.type(), rows, 1, (int) first.columns(), layers.size() * rank);
        b = RowProducts.Matrices.zeros(first.type(), rows, blocks, rank, width);
        long[] starts = IntStream.range(0, layers.size())
                .flatMap(layer -> IntStream.generate(() -> layer * rank).limit(blocks(layer)))
                .asLongStream()
                .toArray();
        places = kept(starts);
        columns = blocks == layers.size()
                ? null
                : kept(Arrays.stream(starts)
                        .flatMap(start -> LongStream.range(start, start + rank))
                        .toArray());
    }

    private static Tensor kept(long[] values) {
        Tensor kept = Tensors.of(values, values.length);
        kept.retainReference();
        return kept;
    }

    private int blocks(int layer) {
        return (int) (layers.get(layer).rows() / b.out());
    }

    /** Where a layer's output begins among those of all. */
    private long start(int layer) {
        return layers.subList(0, layer).stream().mapToLong(Matrix::rows).sum();
    }

    /** Gives a row the factors of layers, whose rank may be less, and no updates of others. */
    void put(int row, Map<Matrix, Factors> factors) {
        List<Tensor> down = new ArrayList<>();
        for (int place = 0; place < layers.size(); place++) {
            Matrix layer = layers.get(place);
            Factors own = factors.get(layer);
            int block = (int) (start(place) / b.out());
            long r = 0;
            if (own != null) {
                r = own.a().size(0);
                down.add(own.a());
                b.put(row, block, own.b());
            }
            if (r < rank) {
                down.add(Tensors.zeros(layer.type(), rank - r, layer.columns()));
                Tensor blocks = b.all().select(0, row).narrow(0, block, blocks(place));
                blocks.narrow(1, r, rank - r).fill_(new Scalar(0.0));
            }
        }
        a.put(row, 0, Ops.cat(0, down.toArray(Tensor[]::new)));
    }

    /** Leaves a row without updates. */
    void clear(int row) {
        a.clear(row);
        b.clear(row);
    }

    /**
     * The updates of all layers, {@code [texts, tokens, Σ out]}.
     *
     * @param x {@code [texts, tokens, in]}
     * @param first the first text
     */
    Tensor times(Tensor x, int first) {
        Tensor typed = Ops.to(x, layers.get(0).type());
        Tensor together = products.times(typed, a, b, places, first);
        if (together != null) {
            return together;
        }
        Tensor narrow = products.times(typed, a, first);
        return products.times(columns == null ? narrow : narrow.index_select(2, columns), b, first);
    }

    /** The same of one of the layers. */
    Tensor times(Tensor x, int first, Matrix layer) {
        Tensor all = times(x, first);
        return layers.size() == 1 ? all : all.narrow(2, start(layers.indexOf(layer)), layer.rows());
    }

    @Override
    public void close() {
        a.close();
        b.close();
        places.close();
        if (columns != null) {
            columns.close();
        }
    }
}
