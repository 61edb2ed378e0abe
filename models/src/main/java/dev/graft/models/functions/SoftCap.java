package dev.graft.models.functions;

import dev.graft.formats.Fields;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A smooth limit of values to (-c, c): {@code y = c · tanh(x / c)} (Bello et al., 2016). Gemma 2 (Gemma Team, 2024, section 2) applies it to
 * scores and logits.
 *
 * @param cap c, more than 0
 */
public record SoftCap(double cap) {
    /** Reads the cap from a field of a config.json; null for none. */
    public static @Nullable SoftCap read(Fields config, String field, @Nullable Double absent) {
        Double cap = config.has(field) ? config.numberOrNull(field) : absent;
        if (cap != null && !(cap > 0)) {
            throw config.invalid(field, "null or a number above 0");
        }
        return cap == null ? null : new SoftCap(cap);
    }

    /** Returns y. */
    public Tensor apply(Tensor x) {
        return x.div(new Scalar(cap)).tanh_().mul(new Scalar(cap));
    }

    /** Returns {@code dy / dx = 1 - (y / c)²}. */
    public Tensor slope(Tensor y) {
        return y.div(new Scalar(cap)).square().neg_().add_(new Scalar(1.0));
    }
}
