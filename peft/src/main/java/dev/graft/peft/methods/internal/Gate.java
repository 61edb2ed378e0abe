package dev.graft.peft.methods.internal;

import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;

/**
 * UniPELT's gates (Mao et al., 2022) as AdapterHub has them: {@code g = mean over positions of sigmoid(V x + v)}, one per row of the batch, with
 * {@code V [gates, hidden]}. The mean counts every position of the pass, also padding, so the result of a row depends on the width of the batch.
 * In generation with a cache later positions have gates of their own.
 */
public record Gate(Tensor weight, Tensor bias) {
    /** Declares V and v under {@code <key>.weight} and {@code <key>.bias}. */
    public static Gate of(Grafter g, String key, int gates, long hidden, Initializer weight, Initializer bias) {
        return new Gate(g.parameter(key + ".weight", weight, gates, hidden), g.parameter(key + ".bias", bias, gates));
    }

    /** Returns the gates {@code [batch, 1, gates]} of x {@code [batch, seq, hidden]}. */
    public Tensor of(Tensor x) {
        return Ops.mean(
                Ops.linear(Ops.to(x, weight.scalar_type()), weight, bias).sigmoid(), 1, true);
    }
}
