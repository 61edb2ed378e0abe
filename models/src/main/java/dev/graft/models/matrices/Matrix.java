package dev.graft.models.matrices;

import dev.graft.tensor.GradientProduct;
import dev.graft.tensor.Product;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** A frozen matrix W {@code [rows, columns]} of a linear layer. */
public abstract sealed class Matrix permits Dense, Quantized {
    private volatile @Nullable Product packed;
    private volatile @Nullable Together together;
    private volatile @Nullable GradientProduct rounded;

    public abstract long rows();

    public abstract long columns();

    /** The type of its values and of the products with it. */
    public abstract ScalarType type();

    /** Its values {@code [rows, columns]}: the tensor itself where it is whole, else a new one. */
    public abstract Tensor values();

    /** What it consists of in memory, without what {@link #pack} adds. */
    public abstract List<Tensor> parts();

    /** Makes products at inference faster where it can ({@link Together#product}). */
    public void pack() {
        if (!isPacked()) {
            packed = Together.product(List.of(this));
        }
    }

    /** Whether products at inference are faster, by itself or with others. */
    public boolean isPacked() {
        return packed != null || together != null;
    }

    /** Says what it is part of. */
    void join(Together others) {
        together = others;
    }

    /** What it was put together with, or null. */
    public @Nullable Together together() {
        return together;
    }

    /** What calculates {@code sum + x Wᵀ} faster, or null. */
    @Nullable
    Product packed(Tensor x, @Nullable Tensor sum) {
        Product product = packed;
        boolean learns = x.requires_grad() || (sum != null && sum.requires_grad());
        return product == null || learns || !product.takes(x) ? null : product;
    }

    /**
     * Has {@link #backward} calculate in 8-bit integers ({@link GradientProduct}), but for a small whole matrix, which gains nothing, and for one
     * of fewer bits, which is decoded in any case.
     */
    public void roundGradients() {
        if (rounded == null) {
            rounded = gradientProduct();
        }
    }

    /** Whether {@link #backward} calculates in 8-bit integers. */
    public boolean roundsGradients() {
        return rounded != null;
    }

    /** Products of gradients in 8-bit integers; null where it has none. */
    @Nullable
    GradientProduct gradientProduct() {
        return null;
    }

    /**
     * {@code sum + g W}, the gradient of x in {@link #times}; no gradient of its own is recorded.
     *
     * @param gradient g {@code [n, rows]}
     * @param sum {@code [n, columns]}, added to in place; null for nothing
     */
    public final Tensor backward(Tensor gradient, @Nullable Tensor sum) {
        GradientProduct product = rounded;
        return product == null ? exactBackward(gradient, sum) : product.times(gradient, sum);
    }

    /** The same in the matrix's own type. */
    abstract Tensor exactBackward(Tensor gradient, @Nullable Tensor sum);

    /** {@code x Wᵀ + b}: x {@code [..., columns]}, bias {@code [rows]} or null. */
    public Tensor times(Tensor x, @Nullable Tensor bias) {
        return times(x, bias, null);
    }

    /** {@code sum + x Wᵀ + b}, rounded once: x {@code [..., columns]}, bias {@code [rows]} or null, sum {@code [..., rows]} or null. */
    public abstract Tensor times(Tensor x, @Nullable Tensor bias, @Nullable Tensor sum);

    /**
     * {@code sum + x Wᵀ + b} of a training step, rounded once; no gradient of its own is recorded.
     *
     * @param x {@code [n, columns]}
     * @param bias {@code [rows]}, or null for nothing
     * @param sum {@code [n, rows]}, added to in place; null for nothing
     */
    public abstract Tensor forward(Tensor x, @Nullable Tensor bias, @Nullable Tensor sum);

    /** How many bytes of memory it takes. */
    public long bytes() {
        return parts().stream().mapToLong(Tensor::nbytes).sum();
    }
}
