package dev.graft.peft.methods;

import dev.graft.models.Activation;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A linear map, the same for every place, from a vector c to the numbers of a bottleneck: {@code θ = G c + g}, cut into
 * {@code D [m, hidden]}, d, {@code U [hidden, m]}, u and, if it has a norm, γ and β.
 *
 * @param weight G, {@code [numbers, c]}
 * @param bias g, or null
 */
record Generator(Tensor weight, @Nullable Tensor bias, long hidden, long m, boolean normed) {
    /** How many numbers a bottleneck has. */
    static long numbers(long hidden, long m, boolean normed) {
        return 2 * hidden * m + m + hidden + (normed ? 2 * hidden : 0);
    }

    /** Declares G, and g unless it is left out; G starts normal with that deviation, g at zero. */
    static Generator of(
            Grafter g, String at, long from, long hidden, long m, boolean normed, boolean withBias, double std) {
        long numbers = numbers(hidden, m, normed);
        return new Generator(
                g.parameter(at + ".weight", Initial.normal(std), numbers, from),
                withBias ? g.parameter(at + ".bias", Initial.ZEROS, numbers) : null,
                hidden,
                m,
                normed);
    }

    /** {@code A(z) = LN(U σ(D z + d) + u; γ, β)} with what c {@code [c]} gives; without the norm its inside alone. */
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
        return Ops.layerNorm(a, theta.narrow(0, at, hidden), theta.narrow(0, at + hidden, hidden), 1e-5);
    }
}
