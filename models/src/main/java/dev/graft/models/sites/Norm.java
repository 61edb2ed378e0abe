package dev.graft.models.sites;

import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A frozen normalisation layer.
 *
 * @param weight {@code [hidden]}
 * @param bias {@code [hidden]} or null
 */
public record Norm(
        String name,
        int layer,
        Kind kind,
        Tensor weight,
        @Nullable Tensor bias,
        double eps) implements Site {
    public enum Kind {
        LAYER,
        RMS
    }

    /** Normalises the last dimension of x, {@code [..., hidden]}. */
    public Tensor apply(Tensor x) {
        return kind == Kind.RMS ? Ops.rmsNorm(x, weight, eps) : Ops.layerNorm(x, weight, bias, eps);
    }

    /** The same normalisation with other parameters. */
    public Norm with(Tensor newWeight, @Nullable Tensor newBias) {
        return new Norm(name, layer, kind, newWeight, newBias, eps);
    }
}
