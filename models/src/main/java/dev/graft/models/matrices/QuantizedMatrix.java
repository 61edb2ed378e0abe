package dev.graft.models.matrices;

import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.LinearKernel;
import dev.graft.tensor.ops.Products;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A matrix in fewer bits. Every product decodes it in tiles of rows and frees them at once; only autograd's graph keeps them, if it must compute
 * the gradient of x. Once it is packed, products of few rows at inference read the codes directly.
 */
public abstract sealed class QuantizedMatrix extends Matrix
        permits FourBitMatrix, Int8Matrix, GroupedInt4Matrix, GgmlMatrix {
    /** The elements of a tile. Larger ones cost memory, smaller ones time; most layers are one tile. */
    static final int TILE = 1 << 22;

    /** The kind's name, for example {@code nf4}. */
    public abstract String kind();

    /**
     * Writes the values of rows, {@code [n, columns]}, to a contiguous tensor.
     *
     * @param from the first row, a multiple of {@link #rowAlignment}
     */
    public abstract void decode(long from, Tensor into);

    /**
     * Quantises other values {@code [rows, columns]} in the same format. The result lives as long as something refers to it.
     *
     * @throws dev.graft.formats.InputException if Graft only reads this kind
     */
    public abstract QuantizedMatrix requantize(Tensor values);

    /**
     * Returns the sum with {@code [rows, columns]} in the same format if no value needs rounding; else null. It belongs to the scope of the
     * caller.
     */
    public @Nullable QuantizedMatrix plus(Tensor delta) {
        return null;
    }

    /** The smallest number of rows that fill whole blocks. */
    public abstract long rowAlignment();

    /**
     * Returns some rows with four-bit codes and with scales and biases by groups; null for other formats. They belong to the scope of the caller.
     */
    @Nullable
    AffineCodes affine(long from, long count) {
        return null;
    }

    /** Returns a matrix that lives as long as something refers to it. */
    static QuantizedMatrix kept(Supplier<QuantizedMatrix> made) {
        try (Scope scope = new Scope()) {
            QuantizedMatrix matrix = made.get();
            matrix.parts().forEach(scope::release);
            return matrix;
        }
    }

    @Override
    public Tensor values() {
        return rows(0, rows());
    }

    private Tensor rows(long from, long count) {
        Tensor values = Tensors.empty(type(), count, columns());
        if (count > 0 && columns() > 0) {
            decode(from, values);
        }
        return values;
    }

    private long tile() {
        return Math.max(1, TILE / Math.max(1, columns()) / rowAlignment()) * rowAlignment();
    }

    @Override
    public Tensor times(Tensor x, @Nullable Tensor bias, @Nullable Tensor sum) {
        LinearKernel packed = packed(x, sum);
        if (packed != null) {
            return packed.linear(x, bias, sum);
        }
        try (Scope scope = new Scope()) {
            if (x.requires_grad() || (sum != null && sum.requires_grad()) || tile() >= rows()) {
                return scope.keep(Products.linear(x, values(), bias, sum));
            }
            long[] shape = Tensors.shape(x);
            shape[shape.length - 1] = rows();
            Tensor y = Tensors.empty(x.scalar_type(), shape);
            for (long from = 0; from < rows(); from += tile()) {
                long count = Math.min(tile(), rows() - from);
                try (Scope once = new Scope()) {
                    Tensor part = bias == null ? null : bias.narrow(0, from, count);
                    Tensor before = sum == null ? null : sum.narrow(-1, from, count);
                    y.narrow(-1, from, count).copy_(Products.linear(x, rows(from, count), part, before));
                }
            }
            return scope.keep(y);
        }
    }

    @Override
    public Tensor forward(Tensor x, @Nullable Tensor bias, @Nullable Tensor sum) {
        if (sum == null) {
            return times(x, bias);
        }
        for (long from = 0; from < rows(); from += tile()) {
            long count = Math.min(tile(), rows() - from);
            try (Scope once = new Scope()) {
                Tensor part = bias == null ? null : bias.narrow(0, from, count);
                Products.product(x, rows(from, count).t(), part, sum.narrow(1, from, count));
            }
        }
        return sum;
    }

    @Override
    Tensor exactBackward(Tensor gradient, @Nullable Tensor sum) {
        try (Scope scope = new Scope()) {
            if (tile() >= rows()) {
                Tensor dx = Products.product(gradient, values(), null, sum);
                return sum == null ? scope.keep(dx) : dx;
            }
            Tensor dx = sum == null ? Tensors.zeros(type(), gradient.size(0), columns()) : sum;
            for (long from = 0; from < rows(); from += tile()) {
                long count = Math.min(tile(), rows() - from);
                try (Scope once = new Scope()) {
                    Products.product(gradient.narrow(1, from, count), rows(from, count), null, dx);
                }
            }
            return sum == null ? scope.keep(dx) : sum;
        }
    }
}
