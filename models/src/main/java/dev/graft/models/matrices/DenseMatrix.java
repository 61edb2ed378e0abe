package dev.graft.models.matrices;

import dev.graft.tensor.ops.Int8GradientProduct;
import dev.graft.tensor.ops.LinearKernel;
import dev.graft.tensor.ops.Products;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** An unquantised matrix. */
public final class DenseMatrix extends Matrix {
    /** Values below which rounding takes as long as the product gains. */
    private static final long WORTH_ROUNDING = 1 << 17;

    private final Tensor values;

    public DenseMatrix(Tensor values) {
        this.values = values;
    }

    @Override
    public long rows() {
        return values.size(0);
    }

    @Override
    public long columns() {
        return values.size(1);
    }

    @Override
    public ScalarType type() {
        return values.scalar_type();
    }

    @Override
    public Tensor values() {
        return values;
    }

    @Override
    public List<Tensor> parts() {
        return List.of(values);
    }

    @Override
    public Tensor times(Tensor x, @Nullable Tensor bias, @Nullable Tensor sum) {
        LinearKernel packed = packed(x, sum);
        return packed == null ? Products.linear(x, values, bias, sum) : packed.linear(x, bias, sum);
    }

    @Override
    public Tensor forward(Tensor x, @Nullable Tensor bias, @Nullable Tensor sum) {
        return Products.product(x, values.t(), bias, sum);
    }

    @Override
    @Nullable
    Int8GradientProduct gradientProduct() {
        return values.numel() < WORTH_ROUNDING ? null : Int8GradientProduct.of(values);
    }

    @Override
    Tensor exactBackward(Tensor gradient, @Nullable Tensor sum) {
        return Products.product(gradient, values, null, sum);
    }
}
