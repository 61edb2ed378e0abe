package dev.graft.serve;

import dev.graft.models.Base;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Vectors of texts: the mean of a text's hidden states, of length 1. Safe for use by several threads. */
public final class Embedder {
    private final Base base;

    public Embedder(Base base) {
        this.base = base;
    }

    /** A text's vector, {@code [hidden]}, by a pass of its own. */
    public float[] embed(Encoding text, Hooks hooks) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Tensor last = base.hidden(inputs(text), Pass.inference(hooks)).last();
            Tensor mean = Ops.mean(Ops.to(last, ScalarType.Float), 1, false);
            return Tensors.floats(mean.div(Ops.norm(mean, 1, true)));
        }
    }

    /** A batch of one text. */
    public static Inputs inputs(Encoding text) {
        return new Inputs(row(text.ids()), Tensors.ones(ScalarType.Long, 1, text.length()), row(text.typeIds()), null);
    }

    private static Tensor row(int[] values) {
        long[] wide = new long[values.length];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = values[i];
        }
        return Tensors.of(wide, 1, wide.length);
    }
}
