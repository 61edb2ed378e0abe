package dev.graft.peft.methods.bottleneck;

import dev.graft.models.functions.Activation;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.tensor.Ops;
import dev.graft.tensor.ops.FusedNorm;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A linear map, the same for every place, from a vector c to the numbers of a bottleneck: {@code θ = G c + g}, cut into
 * {@code D [m, hidden]}, d, {@code U [hidden, m]}, u and, if it has a norm, γ and β.
 *
 * @param weight G, {@code [numbers, c]}
 * @param bias g, or null
 */
record BottleneckGenerator(Tensor weight, @Nullable Tensor bias, long hidden, long m, boolean normed) {
    /** Returns the number of values of a bottleneck. */
    static long numbers(long hidden, long m, boolean normed) {
        return 2 * hidden * m + m + hidden + (normed ? 2 * hidden : 0);
    }

    /** Declares G, and g unless it is excluded; G starts normal with that deviation, g at zero. */
    static BottleneckGenerator of(
            Grafter g, String at, long from, long hidden, long m, boolean normed, boolean withBias, double std) {
        long numbers = numbers(hidden, m, normed);
        return new BottleneckGenerator(
                g.parameter(at + ".weight", Initializer.normal(std), numbers, from),
                withBias ? g.parameter(at + ".bias", Initializer.ZEROS, numbers) : null,
                hidden,
                m,
                normed);
    }

    /**
     * Computes {@code A(z) = LN(U σ(D z + d) + u; γ, β)} with the parameters for c {@code [c]}; without the norm its
     * inside alone.
     */
    Tensor apply(Tensor c, Tensor z, Activation activation) {
        Tensor theta = Ops.linear(c, weight, bias);
        Tensor down = theta.narrow(0, 0, hidden * m).view(m, hidden);
        Tensor downBias = theta.narrow(0, hidden * m, m);
        Tensor up = theta.narrow(0, hidden * m + m, hidden * m).view(hidden, m);
        Tensor upBias = theta.narrow(0, 2 * hidden * m + m, hidden);
        Tensor a = Ops.linear(activation.apply(Ops.linear(z, down, downBias)), up, upBias);
        if (!normed) {
            return a;
        }
        long at = 2 * hidden * m + m + hidden;
        return FusedNorm.layerNorm(a, theta.narrow(0, at, hidden), theta.narrow(0, at + hidden, hidden), 1e-5);
    }
}
