package dev.graft.models.matrices;

import dev.graft.models.sites.Linear;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Packed;
import dev.graft.tensor.Product;
import dev.graft.tensor.Scope;
import dev.graft.tensor.WeightOnly;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Matrices of layers that are given the same input, one under another in the order in which products read them: one product for all. */
public final class Together {
    private final List<Matrix> matrices;
    private final Product packed;
    private final @Nullable Tensor bias;

    private Together(List<Matrix> matrices, Product packed, @Nullable Tensor bias) {
        this.matrices = matrices;
        this.packed = packed;
        this.bias = bias;
    }

    /** Puts the matrices of several layers together where {@link #product} can, if all of them have a bias or none. */
    public static void pack(List<Linear> siblings) {
        List<Matrix> matrices = siblings.stream().map(Linear::matrix).toList();
        List<Tensor> biases = new ArrayList<>();
        for (Linear layer : siblings) {
            if (layer.bias() != null) {
                biases.add(layer.bias());
            }
        }
        boolean alike = biases.isEmpty() || biases.size() == siblings.size();
        if (siblings.size() < 2 || !alike || matrices.get(0).together() != null) {
            return;
        }
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Product packed = product(matrices);
            if (packed != null) {
                Tensor bias = biases.isEmpty() ? null : scope.release(Ops.cat(0, biases.toArray(Tensor[]::new)));
                Together together = new Together(matrices, packed, bias);
                matrices.forEach(matrix -> matrix.join(together));
            }
        }
    }

    /**
     * The product with matrices one under another: {@link Packed} of whole ones, in as many bytes again; {@link WeightOnly} of those in
     * four bits, in five eighths of a byte for each value, and of one in eight bits, which is read where it is. Null for others.
     */
    static @Nullable Product product(List<Matrix> matrices) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            if (matrices.stream().allMatch(Dense.class::isInstance)) {
                Tensor[] values = matrices.stream().map(Matrix::values).toArray(Tensor[]::new);
                return Packed.of(values.length == 1 ? values[0] : Ops.cat(0, values));
            }
            Matrix first = matrices.get(0);
            if (first.type().value != ScalarType.BFloat16.value) {
                return null;
            }
            if (first instanceof EightBit matrix && matrices.size() == 1) {
                return WeightOnly.int8(matrix.codes(), matrix.absmax().div(new Scalar(127.0)));
            }
            List<AffineCodes> codes = new ArrayList<>();
            for (Matrix matrix : matrices) {
                AffineCodes all = matrix instanceof Quantized quantized ? quantized.affine(0, matrix.rows()) : null;
                if (all == null
                        || (!codes.isEmpty() && all.group() != codes.get(0).group())) {
                    return null;
                }
                codes.add(all);
            }
            AffineCodes all = AffineCodes.under(codes);
            return WeightOnly.int4(all.codes(), all.scales(), all.biases());
        }
    }

    /** What these matrices were put together as, in this order; null if they weren't. */
    public static @Nullable Together of(List<Matrix> matrices) {
        Together together = matrices.get(0).together();
        return together != null && together.matrices.equals(matrices) ? together : null;
    }

    public List<Matrix> matrices() {
        return matrices;
    }

    /** How many rows they have in all. */
    public long rows() {
        return matrices.stream().mapToLong(Matrix::rows).sum();
    }

    /**
     * {@code sum + x Wᵀ + b} of each, {@code [..., rows]}, for which no gradient is recorded.
     *
     * @param x {@code [..., columns]}
     * @param sum {@code [..., rows()]}, or null for nothing
     */
    public Tensor[] times(Tensor x, @Nullable Tensor sum) {
        Tensor all = packed.takes(x) ? packed.linear(x, bias, sum) : null;
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
