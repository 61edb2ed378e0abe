package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.attention.AttentionWindow;
import dev.graft.models.attention.Rope;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.functions.SoftCap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Gemma 2 (Gemma Team, 2024): a {@link LlamaDecoder} with norms before and behind its blocks, capped scores and logits, and a window in every other
 * layer.
 */
public final class Gemma2 extends GemmaFamily {
    /** Reads {@code model_type: gemma2}. */
    public Gemma2() {
        super("gemma2", "Gemma2");
    }

    @Override
    @Nullable
    SoftCap logitCap(Fields f) {
        return SoftCap.read(f, "final_logit_softcapping", 30.0);
    }

    @Override
    LlamaConfig config(Fields f) {
        LlamaDecoder.Size size = LlamaConfig.size(f, 8192);
        LlamaConfig.Heads heads =
                heads(f, size, 4).withScale(scale(f)).withCap(SoftCap.read(f, "attn_logit_softcapping", 50.0));
        LlamaConfig.Mlp mlp = LlamaConfig.Mlp.read(f, "hidden_activation", "gelu_pytorch_tanh");
        return config(
                f, size, heads, mlp, LlamaConfig.NormPlacement.BOTH, kinds(f, size, RopeScaling.read(f, heads.dim())));
    }

    private static List<LlamaConfig.LayerKind> kinds(Fields f, LlamaDecoder.Size size, Rope rope) {
        LlamaConfig.LayerKind full = new LlamaConfig.LayerKind(rope, AttentionWindow.ALL, null);
        LlamaConfig.LayerKind sliding = new LlamaConfig.LayerKind(rope, LayerTypes.window(f, 4096), null);
        return LayerTypes.types(f, size, layer -> layer % 2 == 1).stream()
                .map(type -> type.equals(LayerTypes.FULL) ? full : sliding)
                .toList();
    }
}
