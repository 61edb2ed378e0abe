package dev.graft.models.sites;

import dev.graft.tensor.Ops;
import dev.graft.tensor.ops.FusedNorm;
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
        RMS,
        /** RMS with a weight that is added to one, as in Gemma. */
        RMS_PLUS_ONE
    }

    /** Normalises the last dimension of x, {@code [..., hidden]}; if it contains several heads, each one alone. */
    public Tensor apply(Tensor x) {
        long size = weight.size(0);
        long last = x.size(-1);
        Tensor wide = Ops.to(x, weight.scalar_type());
        return last == size
                ? whole(wide)
                : whole(wide.unflatten(-1, last / size, size)).flatten(-2, -1);
    }

    private Tensor whole(Tensor x) {
        return kind == Kind.LAYER ? FusedNorm.layerNorm(x, weight, bias, eps) : FusedNorm.rmsNorm(x, factor(), eps);
    }

    /** Returns the factor of normalised values. */
    public Tensor factor() {
        return kind == Kind.RMS_PLUS_ONE ? Ops.plus(weight, 1) : weight;
    }

    /** Returns a copy with other parameters. */
    public Norm with(Tensor newWeight, @Nullable Tensor newBias) {
        return new Norm(name, layer, kind, newWeight, newBias, eps);
    }
}
