package dev.graft.models.matrices;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Product;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** A whole matrix. */
public final class Dense extends Matrix {
    private final Tensor values;

    public Dense(Tensor values) {
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
        Product packed = packed(x, sum);
        return packed == null ? Ops.linear(x, values, bias, sum) : packed.linear(x, bias, sum);
    }

    @Override
    public Tensor addTimes(Tensor sum, Tensor x) {
        return sum.addmm_(x, values.t());
    }

    @Override
    public Tensor backward(Tensor gradient, @Nullable Tensor sum) {
        return sum == null ? gradient.matmul(values) : sum.addmm_(gradient, values);
    }
}
