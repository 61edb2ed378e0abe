package dev.graft.models.sites;

import dev.graft.models.Pass;
import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A frozen table of token, position or segment embeddings.
 *
 * @param weight {@code [rows, hidden]}
 * @param input whether it is the model's token embedding, before which prompts are put
 */
public record Embedding(String name, Tensor weight, boolean input) implements Site, Affine {
    @Override
    public int layer() {
        return -1;
    }

    public long rows() {
        return weight.size(0);
    }

    public long hidden() {
        return weight.size(1);
    }

    @Override
    public @Nullable Tensor bias() {
        return null;
    }

    @Override
    public Tensor apply(Tensor ids, Pass pass) {
        return Ops.embedding(weight, ids);
    }
}
