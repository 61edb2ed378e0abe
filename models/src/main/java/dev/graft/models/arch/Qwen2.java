package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.sites.Embedding;

/**
 * Qwen2 and Qwen2.5 (Yang et al., 2024): a {@link LlamaDecoder} with biases only in queries, keys and values, and a
 * window in its later layers if {@code use_sliding_window} is true.
 */
public final class Qwen2 extends LlamaFamily {
    /** Reads {@code model_type: qwen2}. */
    public Qwen2() {
        super("qwen2", "Qwen2");
    }

    @Override
    boolean answersAsTransformer() {
        return true;
    }

    @Override
    LlamaConfig config(Fields f) {
        LlamaDecoder.Size size = LlamaConfig.size(f, 32_768);
        LlamaConfig.Heads heads =
                LlamaConfig.Heads.read(f, size, 32).withBias(true).withOutputBias(false);
        return new LlamaConfig(
                size,
                heads,
                LlamaConfig.Mlp.read(f),
                LlamaConfig.Norms.read(f, 1e-6),
                Embedding.padding(f, -1),
                LayerTypes.qwen(f, size, RopeScaling.read(f, heads.dim())));
    }
}
