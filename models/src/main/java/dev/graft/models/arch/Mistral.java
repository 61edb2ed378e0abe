package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.sites.Embedding;

/**
 * Mistral (Jiang et al., 2023): a {@link LlamaDecoder} with a window, in which a position sees a limited number of
 * earlier ones.
 */
public final class Mistral extends LlamaFamily {
    /** Reads {@code model_type: mistral}. */
    public Mistral() {
        super("mistral", "Mistral");
    }

    @Override
    public boolean keepsHeadSize() {
        return true;
    }

    @Override
    LlamaConfig config(Fields f) {
        if (f.has("layer_types")) {
            throw f.invalid(
                    "layer_types", "no such field: windows that differ between layers aren't supported for Mistral");
        }
        LlamaDecoder.Size size = LlamaConfig.size(f, 131_072);
        LlamaConfig.Heads heads =
                LlamaConfig.Heads.read(f, size, 8).withBias(false).withOutputBias(false);
        return new LlamaConfig(
                size,
                heads,
                LlamaConfig.Mlp.read(f),
                LlamaConfig.Norms.read(f, 1e-6),
                Embedding.padding(f, -1),
                LayerTypes.same(size, RopeScaling.read(f, heads.dim()), LayerTypes.window(f, 4096)));
    }
}
