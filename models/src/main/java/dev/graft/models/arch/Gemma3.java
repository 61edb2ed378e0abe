package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.attention.AttentionWindow;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.functions.SoftCap;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Gemma 3's text models (Gemma Team, 2025): a {@link LlamaDecoder} with norms before and behind its blocks, norms of
 * each head and scaled embeddings. Layers with a window, which have rotary positions of their own, alternate with
 * layers that see everything.
 */
public final class Gemma3 extends GemmaFamily {
    /** Reads {@code model_type: gemma3_text}. */
    public Gemma3() {
        super("gemma3_text", "Gemma3");
    }

    @Override
    public String className(Task task) {
        return switch (task) {
            case CAUSAL_LM -> "Gemma3ForCausalLM";
            default ->
                "Gemma3Text" + super.className(task).substring(classNamePrefix().length());
        };
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_CLS, Task.CAUSAL_LM);
    }

    @Override
    @Nullable
    SoftCap logitCap(Fields f) {
        return SoftCap.read(f, "final_logit_softcapping", null);
    }

    @Override
    LlamaConfig config(Fields f) {
        if (f.numberOrNull("attn_logit_softcapping") != null) {
            throw f.invalid("attn_logit_softcapping", "null: Gemma 3 has norms of each head in place of a cap");
        }
        LlamaDecoder.Size size = LlamaConfig.size(f, 131_072);
        LlamaConfig.Heads heads =
                heads(f, size, 4).withNorm(LlamaConfig.HeadNorm.EACH).withScale(scale(f));
        LlamaConfig.Mlp mlp = LlamaConfig.Mlp.read(f, "hidden_activation", "gelu_pytorch_tanh");
        return config(f, size, heads, mlp, LlamaConfig.NormPlacement.BOTH, kinds(f, size, heads.dim()));
    }

    private static List<LlamaConfig.LayerKind> kinds(Fields f, LlamaDecoder.Size size, int dim) {
        int every = f.integer("sliding_window_pattern", f.integer("_sliding_window_pattern", 6, 1), 1);
        List<String> types = LayerTypes.types(f, size, layer -> (layer + 1) % every == 0);
        LlamaConfig.LayerKind full = new LlamaConfig.LayerKind(
                RopeScaling.read(f, "full_attention", dim, "rope_theta", 1e6), AttentionWindow.ALL, null);
        LlamaConfig.LayerKind sliding = new LlamaConfig.LayerKind(
                RopeScaling.read(f, "sliding_attention", dim, "rope_local_base_freq", 1e4),
                LayerTypes.window(f, 4096),
                null);
        return types.stream()
                .map(type -> type.equals(LayerTypes.FULL) ? full : sliding)
                .toList();
    }
}
