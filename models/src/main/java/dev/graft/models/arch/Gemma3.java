package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Reach;
import dev.graft.models.Rope;
import dev.graft.models.SoftCap;
import dev.graft.models.Task;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Gemma 3's text models (Gemma Team, 2025): a {@link Decoder} with norms before and behind its blocks, norms of each head, scaled embeddings, and
 * layers that see a window, with rotary positions of their own, between layers that see everything.
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
            default -> "Gemma3Text" + super.className(task).substring(stem().length());
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
    Decoder.Config config(Fields f) {
        if (f.numberOrNull("attn_logit_softcapping") != null) {
            throw f.wrong("attn_logit_softcapping", "null: Gemma 3 has norms of each head in place of a cap");
        }
        Decoder.Size size = Decoder.size(f, 131_072);
        Decoder.Heads heads = heads(f, size, 4).withNorm(Decoder.HeadNorm.EACH).withScale(scale(f));
        Decoder.Mlp mlp = Decoder.Mlp.read(f, "hidden_activation", "gelu_pytorch_tanh");
        return config(f, size, heads, mlp, Decoder.Place.BOTH, kinds(f, size, heads.dim()));
    }

    private static List<Decoder.Kind> kinds(Fields f, Decoder.Size size, int dim) {
        int every = f.integer("sliding_window_pattern", f.integer("_sliding_window_pattern", 6, 1), 1);
        List<String> types = Layers.types(f, size, layer -> (layer + 1) % every == 0);
        Decoder.Kind full = new Decoder.Kind(Rope.read(f, "full_attention", dim, "rope_theta", 1e6), Reach.ALL, null);
        Decoder.Kind sliding = new Decoder.Kind(
                Rope.read(f, "sliding_attention", dim, "rope_local_base_freq", 1e4), Layers.window(f, 4096), null);
        return types.stream()
                .map(type -> type.equals(Layers.FULL) ? full : sliding)
                .toList();
    }
}
