package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.sites.Embedding;
import java.util.EnumSet;
import java.util.Set;

/**
 * Phi-3 and Phi-4 (Abdin et al., 2024): a {@link LlamaDecoder} with one layer for queries, keys and values, and one for
 * gate and up.
 */
public final class Phi3 extends LlamaFamily {
    /** Reads {@code model_type: phi3}. */
    public Phi3() {
        super("phi3", "Phi3");
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_CLS, Task.TOKEN_CLS, Task.CAUSAL_LM);
    }

    @Override
    LlamaConfig config(Fields f) {
        LlamaDecoder.Size size = LlamaConfig.size(f, 4096);
        LlamaConfig.Heads heads = LlamaConfig.Heads.read(f, size, size.heads())
                .withBias(false)
                .withOutputBias(false)
                .withFused(true);
        return new LlamaConfig(
                size,
                heads,
                LlamaConfig.Mlp.read(f).withFused(true),
                LlamaConfig.Norms.read(f, 1e-5),
                Embedding.padding(f, 32_000),
                1,
                0,
                f.number("resid_pdrop", 0.0, 0, 1),
                LayerTypes.same(size, RopeScaling.read(f, heads.dim()), LayerTypes.window(f, 0)));
    }
}
