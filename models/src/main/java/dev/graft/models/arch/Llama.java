package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.attention.AttentionWindow;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.sites.Embedding;

/**
 * Llama 1 to 3 (Touvron et al., 2023; Dubey et al., 2024), and models with its {@code model_type} such as SmolLM2: the
 * plain {@link LlamaDecoder}, with optional biases.
 */
public final class Llama extends LlamaFamily {
    /** Reads {@code model_type: llama}. */
    public Llama() {
        super("llama", "Llama");
    }

    @Override
    boolean answersAsTransformer() {
        return true;
    }

    @Override
    public boolean keepsHeadSize() {
        return true;
    }

    @Override
    LlamaConfig config(Fields f) {
        if (f.integer("pretraining_tp", 1) != 1) {
            throw f.invalid("pretraining_tp", "1");
        }
        LlamaDecoder.Size size = LlamaConfig.size(f, 2048);
        LlamaConfig.Heads heads = LlamaConfig.Heads.read(f, size, size.heads());
        return new LlamaConfig(
                size,
                heads,
                LlamaConfig.Mlp.read(f),
                LlamaConfig.Norms.read(f, 1e-6),
                Embedding.padding(f, -1),
                LayerTypes.same(size, RopeScaling.read(f, heads.dim()), AttentionWindow.ALL));
    }
}
