package dev.graft.tensor;

import org.bytedeco.pytorch.Tensor;

/** Matrices whose rows are added up. */
record SummedRows(RowProducts products, RowProducts.Matrices matrices) implements RowMatrices {
    @Override
    public void put(int row, Tensor matrix) {
        matrices.put(row, 0, matrix);
    }

    @Override
    public void clear(int row) {
        matrices.clear(row);
    }

    @Override
    public Tensor times(Tensor x, int first) {
        return products.times(x, matrices, first);
    }

    @Override
    public void close() {
        matrices.close();
    }
}
