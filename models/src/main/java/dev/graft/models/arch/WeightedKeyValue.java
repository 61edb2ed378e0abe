package dev.graft.models.arch;

import dev.graft.models.layers.Recurrence;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * RWKV-4's attention without queries (Peng et al., 2023, equation 16). At each position t and in each channel it
 * computes a weighted mean of the values up to t,
 *
 * <pre>{@code
 * wkv(t) = Σ exp(a(t, i)) v(i) / Σ exp(a(t, i))    with a(t, i) = (t - 1 - i) w + k(i) for i < t and a(t, t) = u + k(t)
 * }</pre>
 *
 * where w = -exp(decay) is the logarithm of the share of a weight that remains a token later. The state is the mean of all earlier values
 * and the logarithm of their weight, {@code [batch, size]} each. It counts as one more value before the rest. A text is read in chunks, each by a
 * softmax; a single token is a chunk of its own.
 *
 * @param decay {@code [size]}
 * @param bonus u {@code [size]}
 */
record WeightedKeyValue(Tensor decay, Tensor bonus) implements Recurrence.RecurrentLayer {
    private static final long CHUNK = 16;
    private static final double NOTHING = -1e30;

    /** @param x keys and values, {@code [batch, seq, 2 · size]} */
    @Override
    public List<Tensor> read(Tensor x, @Nullable Tensor visible, List<Tensor> state) {
        ScalarType type = decay.scalar_type();
        long batch = x.size(0);
        long size = decay.size(0);
        Tensor keys = Ops.to(x.narrow(2, 0, size), type);
        Tensor values = Ops.to(x.narrow(2, size, size), type);
        Tensor mean = state.isEmpty() ? Tensors.zeros(type, batch, size) : state.get(0);
        Tensor weight = state.isEmpty() ? Ops.plus(Tensors.zeros(type, batch, size), NOTHING) : state.get(1);
        List<Tensor> means = new ArrayList<>();
        for (long start = 0; start < x.size(1); start += CHUNK) {
            long n = Math.min(CHUNK, x.size(1) - start);
            Tensor scores = scores(
                    Ops.cat(1, weight.unsqueeze(1), keys.narrow(1, start, n)),
                    visible == null ? null : visible.narrow(1, start, n));
            Tensor known = Ops.cat(1, mean.unsqueeze(1), values.narrow(1, start, n));
            Tensor all = Ops.sum(scores.softmax(2).mul(known.unsqueeze(1)), 2, false);
            means.add(all.narrow(1, 0, n));
            mean = all.select(1, n);
            weight = scores.select(1, n).logsumexp(1);
        }
        return List.of(Ops.cat(1, means.toArray(Tensor[]::new)), mean, weight);
    }

    /**
     * Returns a(t, i) for the positions of a chunk and for the one behind it, {@code [batch, n + 1, n + 1, size]}.
     *
     * @param keys {@code [batch, n + 1, size]}: the weight of the earlier values, then those of the chunk
     */
    private Tensor scores(Tensor keys, @Nullable Tensor visible) {
        ScalarType type = keys.scalar_type();
        long n = keys.size(1) - 1;
        Tensor counts = visible == null
                ? Tensors.arange(n + 1).unsqueeze(0)
                : Ops.cat(1, Tensors.zeros(ScalarType.Long, visible.size(0), 1), visible.cumsum(1));
        Tensor places = Tensors.arange(n + 1);
        Tensor ahead = places.unsqueeze(0).sub(places.unsqueeze(1));
        Tensor own = ahead.eq(new Scalar(1L));
        // A token's own value doesn't decay.
        Tensor steps = counts.unsqueeze(2).sub(counts.unsqueeze(1)).masked_fill(own, new Scalar(0L));
        Tensor hidden = ahead.gt(new Scalar(1L)).unsqueeze(0);
        if (visible != null) {
            Tensor padding = visible.eq(new Scalar(0L)).unsqueeze(1);
            hidden = hidden.logical_or(Ops.cat(2, Tensors.zeros(ScalarType.Bool, visible.size(0), 1, 1), padding));
        }
        Tensor decayed = Ops.to(steps, type).unsqueeze(3).mul(decay.exp().neg());
        Tensor bonuses = Ops.to(own, type).unsqueeze(2).mul(bonus);
        return decayed.add(bonuses).add(keys.unsqueeze(1)).masked_fill(hidden.unsqueeze(3), new Scalar(NOTHING));
    }
}
