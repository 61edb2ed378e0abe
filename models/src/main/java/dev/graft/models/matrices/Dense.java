package dev.graft.models.matrices;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Packed;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** A whole matrix. */
public final class Dense implements Matrix {
    private final Tensor values;
    private volatile @Nullable Packed packed;
    private volatile @Nullable Together together;

    public Dense(Tensor values) {
        this.values = values;
    }

    /** Keeps a copy that makes products at inference faster, in as many bytes again. */
    public void pack() {
        if (packed == null) {
            packed = Packed.of(values);
        }
    }

    /** Whether it has such a copy, by itself or with others. */
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
        Packed copy = x.requires_grad() || (sum != null && sum.requires_grad()) ? null : packed;
        return copy == null ? Ops.linear(x, values, bias, sum) : copy.linear(x, bias, sum);
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
