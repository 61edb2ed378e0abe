package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.attention.AttentionWindow;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.sites.Embedding;
import java.util.EnumSet;
import java.util.Set;

/**
 * OLMo 2 (Team OLMo, 2024): a {@link LlamaDecoder} with norms behind its blocks. All heads of queries are normalised
 * together, and so are those of keys.
 */
public final class Olmo2 extends LlamaFamily {
    /** Reads {@code model_type: olmo2}. */
    public Olmo2() {
        super("olmo2", "Olmo2");
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_CLS, Task.CAUSAL_LM);
    }

    @Override
    LlamaConfig config(Fields f) {
        LlamaDecoder.Size size = LlamaConfig.size(f, 2048);
        LlamaConfig.Heads heads = LlamaConfig.Heads.read(f, size, size.heads()).withNorm(LlamaConfig.HeadNorm.ALL);
        return new LlamaConfig(
                size,
                heads,
                LlamaConfig.Mlp.read(f),
                LlamaConfig.Norms.readBehind(f),
                Embedding.padding(f, 1),
                LayerTypes.same(size, RopeScaling.read(f, heads.dim()), AttentionWindow.ALL));
    }
}
