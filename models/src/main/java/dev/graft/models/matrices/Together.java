package dev.graft.models.matrices;

import dev.graft.models.sites.Linear;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Packed;
import dev.graft.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Matrices of layers that are given the same input, one under another in the order in which products read them: one product for all. */
public final class Together {
    private final List<Dense> matrices;
    private final Packed packed;
    private final @Nullable Tensor bias;

    private Together(List<Dense> matrices, Packed packed, @Nullable Tensor bias) {
        this.matrices = matrices;
        this.packed = packed;
        this.bias = bias;
    }

    /**
     * Puts the matrices of layers together, in as many bytes again, where their products are such as {@link Packed} can do: of several
     * layers with whole matrices, all of which have a bias or none.
     */
    public static void pack(List<Linear> siblings) {
        List<Dense> matrices = new ArrayList<>();
        List<Tensor> biases = new ArrayList<>();
        for (Linear layer : siblings) {
            if (layer.matrix() instanceof Dense matrix) {
                matrices.add(matrix);
            }
            if (layer.bias() != null) {
                biases.add(layer.bias());
            }
        }
        boolean alike = matrices.size() == siblings.size() && (biases.isEmpty() || biases.size() == siblings.size());
        if (siblings.size() < 2 || !alike || matrices.get(0).together() != null) {
            return;
        }
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Packed packed =
                    Packed.of(Ops.cat(0, matrices.stream().map(Dense::values).toArray(Tensor[]::new)));
            if (packed != null) {
                Tensor bias = biases.isEmpty() ? null : scope.release(Ops.cat(0, biases.toArray(Tensor[]::new)));
                Together together = new Together(List.copyOf(matrices), packed, bias);
                matrices.forEach(matrix -> matrix.join(together));
            }
        }
    }

    /** What these matrices were put together as, in this order; null if they weren't. */
    public static @Nullable Together of(List<Matrix> matrices) {
        Together together = matrices.get(0) instanceof Dense first ? first.together() : null;
        return together != null && together.matrices.equals(matrices) ? together : null;
    }

    public List<Dense> matrices() {
        return matrices;
    }

    /** How many rows they have in all. */
    public long rows() {
        return matrices.stream().mapToLong(Dense::rows).sum();
    }

    /**
     * {@code sum + x Wᵀ + b} of each, {@code [..., rows]}, for which no gradient is recorded.
     *
     * @param x {@code [..., columns]}
     * @param sum {@code [..., rows()]}, or null for nothing
     */
    public Tensor[] times(Tensor x, @Nullable Tensor sum) {
        Tensor y = packed.linear(x, bias, sum);
        Tensor[] parts = new Tensor[matrices.size()];
        long start = 0;
        for (int i = 0; i < parts.length; i++) {
            long rows = matrices.get(i).rows();
            parts[i] = y.narrow(-1, start, rows);
            start += rows;
        }
        return parts;
    }
}
