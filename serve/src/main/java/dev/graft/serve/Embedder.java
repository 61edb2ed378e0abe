package dev.graft.serve;

import dev.graft.models.Base;
import dev.graft.models.Hidden;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.List;
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
        return embed(List.of(text), hooks).get(0);
    }

    /** The vectors of several texts, {@code [hidden]} each, by passes of several. */
    public List<float[]> embed(List<Encoding> texts, Hooks hooks) {
        float[][] vectors = new float[texts.size()][];
        for (TextBatch batch : TextBatch.of(texts, base.backbone())) {
            try (NoGrad off = new NoGrad();
                    Scope scope = new Scope()) {
                Hidden hidden = base.hidden(batch.inputs(), Pass.inference(hooks));
                Tensor last = Ops.to(hidden.last(), ScalarType.Float);
                for (int row = 0; row < batch.texts().size(); row++) {
                    long seen = hidden.prompt() + batch.texts().get(row).length();
                    Tensor own = last.narrow(0, row, 1).narrow(1, 0, seen);
                    Tensor mean = Ops.mean(own, 1, false);
                    vectors[batch.places().get(row)] = Tensors.floats(mean.div(Ops.norm(mean, 1, true)));
                }
            }
        }
        return List.of(vectors);
    }
}
