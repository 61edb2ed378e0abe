package dev.graft.models.arch;

import dev.graft.models.layers.Recurrence;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Mamba-2's selective state space (Dao and Gu, 2024): a convolution along the text, then a state S
 * {@code [headDim, stateSize]} in each head. The state decays and accumulates the input,
 *
 * <pre>{@code
 * S(t) = exp(Δ(t) A) S(t - 1) + Δ(t) x(t) B(t)ᵀ       with Δ = softplus(dt + bias), not below floor, and A = -exp(decay)
 * y(t) = S(t) C(t) + D x(t)
 * }</pre>
 *
 * A text is read in chunks. Within a chunk, Cᵀ B is multiplied by the shares that remain of one position at another
 * ({@link #segments}). S connects one chunk to the next. A single token is a chunk of its own. The layer keeps the last inputs of the
 * convolution, {@code [batch, kernel - 1, channels]}, and S.
 *
 * @param kernels the kernels of the convolution, {@code [channels, 1, kernel]}, over x, B and C
 * @param kernelBias {@code [channels]}, or null
 * @param decay {@code [heads]}
 * @param skip D {@code [heads]}
 * @param bias the bias of dt, {@code [heads]}
 */
record Mamba2(Config shape, Tensor kernels, @Nullable Tensor kernelBias, Tensor decay, Tensor skip, Tensor bias)
        implements Recurrence.RecurrentLayer {
    /**
     * Its sizes.
     *
     * @param groups the number of groups of heads; a group shares B and C
     * @param kernel the number of positions that the convolution sees
     * @param chunk the number of positions in a chunk
     * @param floor the smallest Δ, also in a chunk of one token
     */
    record Config(int heads, int headDim, int groups, int stateSize, int kernel, int chunk, double floor) {
        /** The size of x. */
        int inner() {
            return heads * headDim;
        }

        /** The sizes of x, B and C together. */
        int channels() {
            return inner() + 2 * groups * stateSize;
        }
    }

    /** @param in x, B and C, then dt, {@code [batch, seq, channels + heads]} */
    @Override
    public List<Tensor> read(Tensor in, @Nullable Tensor visible, List<Tensor> state) {
        ScalarType type = decay.scalar_type();
        long batch = in.size(0);
        long channels = shape.channels();
        Tensor wide = Ops.to(in, type);
        Tensor earlier = state.isEmpty() ? Tensors.zeros(type, batch, shape.kernel - 1L, channels) : state.get(0);
        Tensor convolved = Ops.cat(1, earlier, wide.narrow(2, 0, channels));
        Tensor xbc = convolution(convolved);
        Tensor delta = delta(wide.narrow(2, channels, shape.heads), visible);
        Tensor s = state.isEmpty()
                ? Tensors.zeros(type, batch, shape.heads, shape.headDim, shape.stateSize)
                : state.get(1);
        List<Tensor> outputs = new ArrayList<>();
        for (long start = 0; start < in.size(1); start += shape.chunk) {
            long n = Math.min(shape.chunk, in.size(1) - start);
            Tensor[] read = chunk(xbc.narrow(1, start, n), delta.narrow(1, start, n), s);
            outputs.add(read[0]);
            s = read[1];
        }
        return List.of(
                Ops.cat(1, outputs.toArray(Tensor[]::new)), Recurrence.last(convolved, shape.kernel - 1L, visible), s);
    }

    private Tensor convolution(Tensor x) {
        long[] one = {1};
        Tensor y = Ops.convolution(x.transpose(1, 2), kernels, kernelBias, one, new long[] {0}, one, shape.channels());
        return torch.silu(y).transpose(1, 2);
    }

    /** Returns Δ, {@code [batch, seq, heads]}. It is 0 at padding, which keeps the state unchanged. */
    private Tensor delta(Tensor dt, @Nullable Tensor visible) {
        Tensor delta = torch.softplus(dt.add(bias)).clamp_min(new Scalar(shape.floor));
        return visible == null ? delta : delta.mul(visible.unsqueeze(-1));
    }

    /**
     * Computes the output of a chunk, {@code [batch, n, inner]}, and the state behind it.
     *
     * @param s the state before it, {@code [batch, heads, headDim, stateSize]}
     */
    private Tensor[] chunk(Tensor xbc, Tensor delta, Tensor s) {
        long inner = shape.inner();
        long shared = (long) shape.groups * shape.stateSize;
        Tensor x = heads(xbc.narrow(2, 0, inner), shape.heads);
        Tensor b = heads(xbc.narrow(2, inner, shared), shape.groups);
        Tensor c = heads(xbc.narrow(2, inner + shared, shared), shape.groups);
        Tensor step = delta.transpose(1, 2);
        Tensor segments = segments(step.mul(decay.exp().neg().unsqueeze(1)));
        long n = xbc.size(1);
        // Of the state before the chunk, and of each of its positions.
        Tensor left = segments.narrow(3, 0, 1);
        Tensor within = segments.narrow(3, 1, n);
        Tensor taken = x.mul(step.unsqueeze(-1));
        Tensor scores = each(c.matmul(b.transpose(2, 3))).mul(within);
        Tensor y = scores.matmul(taken).add(each(c).matmul(s.transpose(2, 3)).mul(left));
        Tensor out = y.add(x.mul(skip.view(-1, 1, 1)));
        Tensor faded = taken.mul(within.narrow(2, n - 1, 1).transpose(2, 3));
        Tensor next = s.mul(left.narrow(2, n - 1, 1)).add(faded.transpose(2, 3).matmul(each(b)));
        return new Tensor[] {out.transpose(1, 2).reshape(xbc.size(0), n, inner), next};
    }

    /**
     * Returns the share that remains at each position of the state before the chunk and of the input of each of its
     * positions, {@code [batch, heads, n, 1 + n]}. It is the exponential of the sum of a from behind the input up to
     * the position. Each sum is computed by itself, since differences of sums lose digits.
     *
     * @param a {@code [batch, heads, n]}
     */
    private static Tensor segments(Tensor a) {
        long n = a.size(2);
        Tensor rows = a.unsqueeze(-1).expand(-1, -1, -1, n + 1);
        Tensor behind = Tensors.ones(ScalarType.Bool, n, n + 1).triu(1);
        Tensor hidden = Tensors.ones(ScalarType.Bool, n, n + 1).triu(2);
        return rows.masked_fill(behind, new Scalar(0.0))
                .cumsum(2)
                .masked_fill(hidden, new Scalar(Double.NEGATIVE_INFINITY))
                .exp();
    }

    /** Returns x {@code [batch, n, count · size]} as {@code [batch, count, n, size]}. */
    private static Tensor heads(Tensor x, long count) {
        return x.unflatten(-1, count, x.size(2) / count).transpose(1, 2);
    }

    /** Repeats the values of each group for each of its heads. */
    private Tensor each(Tensor group) {
        int times = shape.heads / shape.groups;
        return times == 1
                ? group
                : group.unsqueeze(2).expand(-1, -1, times, -1, -1).flatten(1, 2);
    }
}
