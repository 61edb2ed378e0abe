package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Reach;
import dev.graft.models.Rope;
import dev.graft.models.SoftCap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Gemma 2 (Gemma Team, 2024): a {@link Decoder} with norms before and behind its blocks, capped scores and logits, and a window in every other
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
    Decoder.Config config(Fields f) {
        Decoder.Size size = Decoder.size(f, 8192);
        Decoder.Heads heads =
                heads(f, size, 4).withScale(scale(f)).withCap(SoftCap.read(f, "attn_logit_softcapping", 50.0));
        Decoder.Mlp mlp = Decoder.Mlp.read(f, "hidden_activation", "gelu_pytorch_tanh");
        return config(f, size, heads, mlp, Decoder.Place.BOTH, kinds(f, size, Rope.read(f, heads.dim())));
    }

    private static List<Decoder.Kind> kinds(Fields f, Decoder.Size size, Rope rope) {
        Decoder.Kind full = new Decoder.Kind(rope, Reach.ALL, null);
        Decoder.Kind sliding = new Decoder.Kind(rope, Layers.window(f, 4096), null);
        return Layers.types(f, size, layer -> layer % 2 == 1).stream()
                .map(type -> type.equals(Layers.FULL) ? full : sliding)
                .toList();
    }
}
