package dev.graft.peft;

import dev.graft.models.matrices.Matrix;
import dev.graft.peft.inits.Factors;
import dev.graft.tensor.Ops;
import dev.graft.tensor.RowProducts;
import dev.graft.tensor.Tensors;
import java.math.BigInteger;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Low-rank updates, one for each row of a batch, of layers that are given the same input: with A and B of a row, {@code x Aᵀ Bᵀ} of each layer, side by
 * side, by two products for all layers. B is kept in blocks as wide as all outputs allow.
 */
final class RowUpdates implements AutoCloseable {
    private final List<Matrix> layers;
    private final int rank;
    private final RowProducts.Matrices a;
    private final RowProducts.Matrices b;
    private final @Nullable Tensor columns;

    /**
     * Zeros for so many rows.
     *
     * @param layers the matrices of the layers
     */
    RowUpdates(List<Matrix> layers, int rows, int rank) {
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
        columns = blocks == layers.size() ? null : columns();
    }

    /** For each block the numbers that its layer's A gave, among those of all layers. */
    private Tensor columns() {
        long[] columns = IntStream.range(0, layers.size())
                .boxed()
                .flatMap(layer -> IntStream.range(0, blocks(layer)).mapToObj(block -> layer))
                .flatMapToInt(layer -> IntStream.range(layer * rank, (layer + 1) * rank))
                .asLongStream()
                .toArray();
        Tensor kept = Tensors.of(columns, columns.length);
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

    /** Gives a row the factors of a layer, whose rank may be less. */
    void put(int row, Matrix layer, Factors factors) {
        int place = layers.indexOf(layer);
        long r = factors.a().size(0);
        a.all()
                .select(0, row)
                .select(0, 0)
                .narrow(1, (long) place * rank, r)
                .copy_(factors.a().t());
        b.all()
                .select(0, row)
                .narrow(0, start(place) / b.out(), blocks(place))
                .narrow(1, 0, r)
                .copy_(factors.b().reshape(blocks(place), b.out(), r).transpose(1, 2));
    }

    /** Leaves a row without updates. */
    void clear(int row) {
        a.all().select(0, row).fill_(new Scalar(0.0));
        b.all().select(0, row).fill_(new Scalar(0.0));
    }

    /**
     * The updates of all layers, {@code [texts, tokens, Σ out]}.
     *
     * @param x {@code [texts, tokens, in]}
     * @param first the row of the first text
     */
    Tensor times(RowProducts products, Tensor x, int first) {
        Tensor narrow = products.times(Ops.to(x, layers.get(0).type()), a, first);
        return products.times(columns == null ? narrow : narrow.index_select(2, columns), b, first);
    }

    /** The same of one of the layers. */
    Tensor times(RowProducts products, Tensor x, int first, Matrix layer) {
        Tensor all = times(products, x, first);
        return layers.size() == 1 ? all : all.narrow(2, start(layers.indexOf(layer)), layer.rows());
    }

    @Override
    public void close() {
        a.close();
        b.close();
        if (columns != null) {
            columns.close();
        }
    }
}
