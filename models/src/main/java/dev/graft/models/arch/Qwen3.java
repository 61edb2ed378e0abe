package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.sites.Embedding;

/** Qwen3 (Yang et al., 2025): a {@link LlamaDecoder} that normalises each head's queries and keys. */
public final class Qwen3 extends LlamaFamily {
    /** Reads {@code model_type: qwen3}. */
    public Qwen3() {
        super("qwen3", "Qwen3");
    }

    @Override
    boolean answersAsTransformer() {
        return true;
    }

    @Override
    LlamaConfig config(Fields f) {
        LlamaDecoder.Size size = LlamaConfig.size(f, 32_768);
        LlamaConfig.Heads heads = LlamaConfig.Heads.read(f, size, 32, 128).withNorm(LlamaConfig.HeadNorm.EACH);
        return new LlamaConfig(
                size,
                heads,
                LlamaConfig.Mlp.read(f),
                LlamaConfig.Norms.read(f, 1e-6),
                Embedding.padding(f, -1),
                LayerTypes.qwen(f, size, RopeScaling.read(f, heads.dim())));
    }
}
