package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Rope;
import dev.graft.models.Task;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Norm;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * Gemma 3's text models (Gemma Team, 2025): a {@link Decoder} with norms before and behind its blocks, norms of each head, scaled embeddings, and
 * layers that see a window, with rotary positions of their own, between layers that see everything.
 */
public final class Gemma3 extends DecoderFamily {
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
    boolean tied() {
        return true;
    }

    @Override
    Decoder.Config config(Fields f) {
        for (String cap : List.of("attn_logit_softcapping", "final_logit_softcapping")) {
            if (f.numberOrNull(cap) != null) {
                throw f.wrong(cap, "null: soft caps aren't supported");
            }
        }
        if (Boolean.TRUE.equals(f.boolOrNull("use_bidirectional_attention"))) {
            throw f.wrong("use_bidirectional_attention", "false");
        }
        Decoder.Size size = Decoder.size(f, 131_072);
        double scalar = f.number("query_pre_attn_scalar", 256);
        Decoder.Heads heads = Decoder.Heads.read(f, size, 4, 256)
                .withNorm(Decoder.HeadNorm.EACH)
                .withScale(1 / Math.sqrt(scalar));
        return new Decoder.Config(
                size,
                heads,
                Decoder.Mlp.read(f, "hidden_activation", "gelu_pytorch_tanh"),
                new Decoder.Norms(Decoder.Place.BOTH, Norm.Kind.RMS_PLUS_ONE, f.number("rms_norm_eps", 1e-6)),
                Embedding.padding(f, 0),
                Math.sqrt(size.hidden()),
                0,
                0,
                kinds(f, size, heads.dim()));
    }

    private static List<Decoder.Kind> kinds(Fields f, Decoder.Size size, int dim) {
        int every = f.integer("sliding_window_pattern", f.integer("_sliding_window_pattern", 6, 1), 1);
        List<String> types = Layers.types(f, size, layer -> (layer + 1) % every == 0);
        Decoder.Kind full = new Decoder.Kind(Rope.read(f, "full_attention", dim, "rope_theta", 1e6), 0, null);
        Decoder.Kind sliding = new Decoder.Kind(
                Rope.read(f, "sliding_attention", dim, "rope_local_base_freq", 1e4), Layers.window(f, 4096), null);
        return types.stream()
                .map(type -> type.equals(Layers.FULL) ? full : sliding)
                .toList();
    }
}
