package dev.graft.models.matrices;

import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.ops.LinearKernel;
import dev.graft.tensor.ops.PackedWeight;
import dev.graft.tensor.ops.WeightOnlyKernel;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Packs matrices for faster products at inference, alone or together with others on the same input. */
public final class MatrixPacking {
    private MatrixPacking() {}

    /** Packs a single matrix, if its type supports it. */
    public static void pack(Matrix matrix) {
        if (!matrix.isPacked()) {
            matrix.pack(product(List.of(matrix)));
        }
    }

    /**
     * Packs the matrices of several layers as one, if their type supports it and either all of the layers or none have a bias.
     *
     * @param biases the biases of the layers
     */
    public static void pack(List<Matrix> matrices, List<Tensor> biases) {
        boolean alike = biases.isEmpty() || biases.size() == matrices.size();
        if (matrices.size() < 2 || !alike || matrices.get(0).joined() != null) {
            return;
        }
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            LinearKernel packed = product(matrices);
            if (packed != null) {
                Tensor bias = biases.isEmpty() ? null : scope.release(Ops.cat(0, biases.toArray(Tensor[]::new)));
                FusedMatrix fused = new FusedMatrix(List.copyOf(matrices), packed, bias);
                matrices.forEach(matrix -> matrix.join(fused));
            }
        }
    }

    /**
     * The product with matrices one under another: {@link PackedWeight} of whole ones, in as many bytes again; {@link WeightOnlyKernel} of those in
     * four bits, in five eighths of a byte for each value, and of one in eight bits, which is read where it is. Null for others.
     */
    private static @Nullable LinearKernel product(List<Matrix> matrices) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            if (matrices.stream().allMatch(DenseMatrix.class::isInstance)) {
                Tensor[] values = matrices.stream().map(Matrix::values).toArray(Tensor[]::new);
                return PackedWeight.of(values.length == 1 ? values[0] : Ops.cat(0, values));
            }
            Matrix first = matrices.get(0);
            if (first.type().value != ScalarType.BFloat16.value) {
                return null;
            }
            if (first instanceof Int8Matrix matrix && matrices.size() == 1) {
                return WeightOnlyKernel.int8(matrix.codes(), matrix.absmax().div(new Scalar(127.0)));
            }
            List<AffineCodes> codes = new ArrayList<>();
            for (Matrix matrix : matrices) {
                AffineCodes all =
                        matrix instanceof QuantizedMatrix quantized ? quantized.affine(0, matrix.rows()) : null;
                if (all == null
                        || (!codes.isEmpty() && all.group() != codes.get(0).group())) {
                    return null;
                }
                codes.add(all);
            }
            AffineCodes all = AffineCodes.under(codes);
            return WeightOnlyKernel.int4(all.codes(), all.scales(), all.biases());
        }
    }
}
