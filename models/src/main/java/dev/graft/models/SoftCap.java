package dev.graft.models;

import dev.graft.formats.Fields;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Keeps numbers between -c and c: {@code y = c · tanh(x / c)} (Bello et al., 2016), as Gemma 2 (Gemma Team, 2024, section 2) does with scores and
 * logits.
 *
 * @param cap c, more than 0
 */
public record SoftCap(double cap) {
    /** The cap that a field of a config.json gives, null for none. */
    public static @Nullable SoftCap read(Fields config, String field, @Nullable Double absent) {
        Double cap = config.has(field) ? config.numberOrNull(field) : absent;
        if (cap != null && !(cap > 0)) {
            throw config.wrong(field, "null or a number above 0");
        }
        return cap == null ? null : new SoftCap(cap);
    }

    /** y. */
    public Tensor apply(Tensor x) {
        return x.div(new Scalar(cap)).tanh_().mul(new Scalar(cap));
    }

    /** {@code dy / dx = 1 - (y / c)²}. */
    Tensor slope(Tensor y) {
        return y.div(new Scalar(cap)).square().neg_().add_(new Scalar(1.0));
    }
}
