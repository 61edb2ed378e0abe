package dev.graft.models.matrices;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Product;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A matrix kept in fewer bits. Its values are made again for every product, in tiles of rows, and freed at once: nothing keeps them but
 * the graph of autograd, where x needs a gradient that autograd must find. Once it is packed, products of few rows at inference read the
 * codes themselves.
 */
public abstract sealed class Quantized extends Matrix permits FourBit, EightBit, Grouped, GgmlMatrix {
    /** The elements of a tile. Larger ones cost memory, smaller ones time; most layers are one tile. */
    static final int TILE = 1 << 22;

    /** The kind's name, for example {@code nf4}. */
    public abstract String kind();

    /** Writes the values of rows, {@code [n, columns]}, contiguous, from the given row on, a multiple of {@link #step}. */
    public abstract void decode(long from, Tensor into);

    /**
     * Other values in the same kind; what it consists of lives as long as something refers to it.
     *
     * @throws dev.graft.formats.InputException if Graft only reads this kind
     */
    public abstract Quantized again(Tensor values);

    /** The sum with {@code [rows, columns]} in the same kind, where no value is rounded for it; else null. In the scope of the caller. */
    public @Nullable Quantized plus(Tensor delta) {
        return null;
    }

    /** The number of rows that begin at the start of a block. */
    public abstract long step();

    /** Rows of it, where its codes have four bits, and scales and biases by groups; else null. In the scope of the caller. */
    @Nullable
    AffineCodes affine(long from, long count) {
        return null;
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
        return Math.max(1, TILE / Math.max(1, columns()) / step()) * step();
    }

    @Override
    public Tensor times(Tensor x, @Nullable Tensor bias, @Nullable Tensor sum) {
        Product packed = packed(x, sum);
        if (packed != null) {
            return packed.linear(x, bias, sum);
        }
        try (Scope scope = new Scope()) {
            if (x.requires_grad() || (sum != null && sum.requires_grad()) || tile() >= rows()) {
                return scope.keep(Ops.linear(x, values(), bias, sum));
            }
            long[] shape = Tensors.shape(x);
            shape[shape.length - 1] = rows();
            Tensor y = Tensors.empty(x.scalar_type(), shape);
            for (long from = 0; from < rows(); from += tile()) {
                long count = Math.min(tile(), rows() - from);
                try (Scope once = new Scope()) {
                    Tensor part = bias == null ? null : bias.narrow(0, from, count);
                    Tensor before = sum == null ? null : sum.narrow(-1, from, count);
                    y.narrow(-1, from, count).copy_(Ops.linear(x, rows(from, count), part, before));
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
                Ops.product(x, rows(from, count).t(), part, sum.narrow(1, from, count));
            }
        }
        return sum;
    }

    @Override
    Tensor exactBackward(Tensor gradient, @Nullable Tensor sum) {
        try (Scope scope = new Scope()) {
            if (tile() >= rows()) {
                Tensor dx = Ops.product(gradient, values(), null, sum);
                return sum == null ? scope.keep(dx) : dx;
            }
            Tensor dx = sum == null ? Tensors.zeros(type(), gradient.size(0), columns()) : sum;
            for (long from = 0; from < rows(); from += tile()) {
                long count = Math.min(tile(), rows() - from);
                try (Scope once = new Scope()) {
                    Ops.product(gradient.narrow(1, from, count), rows(from, count), null, dx);
                }
            }
            return sum == null ? scope.keep(dx) : sum;
        }
    }
}
