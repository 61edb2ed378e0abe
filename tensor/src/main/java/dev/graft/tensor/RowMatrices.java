package dev.graft.tensor;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** A matrix W {@code [out, in]} for each row of a batch. What a text gets depends on no other one. Used by one thread. */
public interface RowMatrices extends AutoCloseable {
    /**
     * Zeros for so many rows, which outlive the scope: packed where products of that type are oneDNN's.
     *
     * @param products what makes the products of others
     */
    static RowMatrices zeros(RowProducts products, ScalarType type, int rows, int in, int out) {
        return PackedRows.areThere(type)
                ? PackedRows.zeros(rows, in, out)
                : new SummedRows(products, RowProducts.Matrices.zeros(type, rows, 1, in, out));
    }

    /** Gives a row its matrix, fp32 or of the type of all {@code [out, in]}. */
    void put(int row, Tensor matrix);

    /** Makes a row's matrix zeros. */
    void clear(int row);

    /**
     * {@code xᵢ Wᵢᵀ} of texts with the matrices of as many rows, {@code [texts, tokens, out]}, for which no gradient is recorded.
     *
     * @param x {@code [texts, tokens, in]}, of the type of all
     * @param first the row of the first text
     */
    Tensor times(Tensor x, int first);

    @Override
    void close();
}
