package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.attention.AttentionWindow;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.sites.Embedding;
import java.util.EnumSet;
import java.util.Set;

/**
 * OLMo 3 (Team OLMo, 2025): OLMo 2 in which three layers of four see a window. Only the layers that see everything have positions
 * that are scaled for longer texts.
 */
public final class Olmo3 extends LlamaFamily {
    /** Reads {@code model_type: olmo3}. */
    public Olmo3() {
        super("olmo3", "Olmo3");
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_CLS, Task.CAUSAL_LM);
    }

    @Override
    LlamaConfig config(Fields f) {
        LlamaDecoder.Size size = LlamaConfig.size(f, 2048);
        LlamaConfig.Heads heads = LlamaConfig.Heads.read(f, size, size.heads()).withNorm(LlamaConfig.HeadNorm.ALL);
        LlamaConfig.LayerKind full = new LlamaConfig.LayerKind(
                RopeScaling.read(f, LayerTypes.FULL, heads.dim(), "rope_theta", 5e5), AttentionWindow.ALL, null);
        LlamaConfig.LayerKind sliding = new LlamaConfig.LayerKind(
                RopeScaling.read(f, LayerTypes.SLIDING, heads.dim(), "rope_theta", 5e5),
                LayerTypes.window(f, 4096),
                null);
        return new LlamaConfig(
                size,
                heads,
                LlamaConfig.Mlp.read(f),
                LlamaConfig.Norms.readBehind(f),
                Embedding.padding(f, 1),
                LayerTypes.types(f, size, layer -> (layer + 1) % 4 == 0).stream()
                        .map(type -> type.equals(LayerTypes.FULL) ? full : sliding)
                        .toList());
    }
}
