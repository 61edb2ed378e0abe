package dev.graft.models.matrices;

import dev.graft.tensor.ops.LinearKernel;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Stacked matrices of layers with a common input, in the order that products read: one product for all. */
public final class FusedMatrix implements Matrix.Group {
    private final List<Matrix> matrices;
    private final LinearKernel packed;
    private final @Nullable Tensor bias;

    FusedMatrix(List<Matrix> matrices, LinearKernel packed, @Nullable Tensor bias) {
        this.matrices = matrices;
        this.packed = packed;
        this.bias = bias;
    }

    /** Returns the fused matrix of these matrices, in this order; null if they aren't fused. */
    public static @Nullable FusedMatrix of(List<Matrix> matrices) {
        return matrices.get(0).joined() instanceof FusedMatrix fused && fused.matrices.equals(matrices) ? fused : null;
    }

    /** Returns the fused matrix that a matrix is part of, or null. */
    public static @Nullable FusedMatrix of(Matrix matrix) {
        return matrix.joined() instanceof FusedMatrix fused ? fused : null;
    }

    public List<Matrix> matrices() {
        return matrices;
    }

    /** The total number of rows of all matrices. */
    public long rows() {
        return matrices.stream().mapToLong(Matrix::rows).sum();
    }

    /**
     * Returns {@code sum + x Wᵀ + b} of each matrix, {@code [..., rows]}, without recording a gradient.
     *
     * @param x {@code [..., columns]}
     * @param sum {@code [..., rows()]}, or null for nothing
     */
    public Tensor[] times(Tensor x, @Nullable Tensor sum) {
        Tensor all = packed.supports(x) ? packed.linear(x, bias, sum) : null;
        Tensor[] parts = new Tensor[matrices.size()];
        long start = 0;
        for (int i = 0; i < parts.length; i++) {
            Matrix matrix = matrices.get(i);
            parts[i] = all != null
                    ? all.narrow(-1, start, matrix.rows())
                    : matrix.times(x, narrowed(bias, start, matrix), narrowed(sum, start, matrix));
            start += matrix.rows();
        }
        return parts;
    }

    private static @Nullable Tensor narrowed(@Nullable Tensor all, long start, Matrix matrix) {
        return all == null ? null : all.narrow(-1, start, matrix.rows());
    }
}
