package dev.graft.models.matrices;

import dev.graft.tensor.ops.Int8GradientProduct;
import dev.graft.tensor.ops.LinearKernel;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** A frozen matrix W {@code [rows, columns]} of a linear layer. */
public abstract sealed class Matrix permits DenseMatrix, QuantizedMatrix {
    private volatile @Nullable LinearKernel packed;
    private volatile @Nullable Group group;
    private volatile @Nullable Int8GradientProduct int8Product;

    public abstract long rows();

    public abstract long columns();

    /** The type of its values and of the products with it. */
    public abstract ScalarType type();

    /** Returns its values {@code [rows, columns]}: the tensor itself if it isn't quantised, else a new one. */
    public abstract Tensor values();

    /** The tensors in memory, without those that {@link #pack} adds. */
    public abstract List<Tensor> parts();

    /** Sets the kernel of faster products at inference; null for none. */
    void pack(@Nullable LinearKernel kernel) {
        packed = kernel;
    }

    /** Returns whether it has a kernel of faster products at inference, alone or with other matrices. */
    public boolean isPacked() {
        return packed != null || group != null;
    }

    /** Matrices with a common product. */
    interface Group {}

    /** Adds it to a group. */
    void join(Group others) {
        group = others;
    }

    /** The group that it is part of, or null. */
    @Nullable
    Group joined() {
        return group;
    }

    /** Returns the kernel that computes {@code sum + x Wᵀ} faster, or null. */
    @Nullable
    LinearKernel packed(Tensor x, @Nullable Tensor sum) {
        LinearKernel kernel = packed;
        boolean learns = x.requires_grad() || (sum != null && sum.requires_grad());
        return kernel == null || learns || !kernel.supports(x) ? null : kernel;
    }

    /**
     * Lets {@link #backward} compute in 8-bit integers ({@link Int8GradientProduct}). It has no effect on small matrices, where it would gain
     * nothing, and on those of fewer bits, which are decoded in any case.
     */
    public void useInt8Gradients() {
        if (int8Product == null) {
            int8Product = gradientProduct();
        }
    }

    /** Returns whether {@link #backward} computes in 8-bit integers. */
    public boolean usesInt8Gradients() {
        return int8Product != null;
    }

    /** The product of gradients in 8-bit integers; null if it isn't used. */
    @Nullable
    Int8GradientProduct gradientProduct() {
        return null;
    }

    /**
     * Returns {@code sum + g W}, the gradient of x in {@link #times}, without recording a gradient.
     *
     * @param gradient g {@code [n, rows]}
     * @param sum {@code [n, columns]}, added to in place; null for a new result
     */
    public final Tensor backward(Tensor gradient, @Nullable Tensor sum) {
        Int8GradientProduct product = int8Product;
        return product == null ? exactBackward(gradient, sum) : product.times(gradient, sum);
    }

    /** Computes {@link #backward} in the matrix's own type. */
    abstract Tensor exactBackward(Tensor gradient, @Nullable Tensor sum);

    /** Returns {@code x Wᵀ + b}, {@code [..., rows]}: x {@code [..., columns]}, bias {@code [rows]} or null. */
    public Tensor times(Tensor x, @Nullable Tensor bias) {
        return times(x, bias, null);
    }

    /**
     * Returns {@code sum + x Wᵀ + b}, rounded once: x {@code [..., columns]}, bias {@code [rows]} or null, sum {@code [..., rows]} or null.
     */
    public abstract Tensor times(Tensor x, @Nullable Tensor bias, @Nullable Tensor sum);

    /**
     * Returns {@code sum + x Wᵀ + b} of a training step, rounded once, without recording a gradient.
     *
     * @param x {@code [n, columns]}
     * @param bias {@code [rows]}, or null for nothing
     * @param sum {@code [n, rows]}, added to in place; null for a new result
     */
    public abstract Tensor forward(Tensor x, @Nullable Tensor bias, @Nullable Tensor sum);

    /** The number of bytes of memory that it occupies. */
    public long bytes() {
        return parts().stream().mapToLong(Tensor::nbytes).sum();
    }
}
