package dev.graft.peft.methods;

import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;

/**
 * UniPELT's gates (Mao et al., 2022) as AdapterHub has them: {@code g = mean over positions of sigmoid(V x + v)}, one for a row of the
 * batch, with {@code V [gates, hidden]}. The mean counts every position that the pass sees, padding too, so a gated adapter gives a row
 * other values in a batch of another width; in generation with a cache later positions have gates of their own.
 */
record Gate(Tensor weight, Tensor bias) {
    /** Declares V and v under {@code <key>.weight} and {@code <key>.bias}. */
    static Gate of(Grafter g, String key, int gates, long hidden, Initial weight, Initial bias) {
        return new Gate(g.parameter(key + ".weight", weight, gates, hidden), g.parameter(key + ".bias", bias, gates));
    }

    /** The gates of x {@code [batch, seq, hidden]}: {@code [batch, 1, gates]}. */
    Tensor of(Tensor x) {
        return Ops.mean(
                Ops.linear(Ops.to(x, weight.scalar_type()), weight, bias).sigmoid(), 1, true);
    }
}
