package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Activation;
import dev.graft.models.Reach;
import dev.graft.models.Rope;

/** Gemma and CodeGemma (Gemma Team, 2024): a {@link Decoder} with scaled embeddings and norms around 1. */
public final class Gemma extends GemmaFamily {
    /** Reads {@code model_type: gemma}. */
    public Gemma() {
        super("gemma", "Gemma");
    }

    @Override
    Decoder.Config config(Fields f) {
        Decoder.Size size = Decoder.size(f, 8192);
        Decoder.Heads heads = heads(f, size, 16);
        return config(
                f, size, heads, mlp(f), Decoder.Place.BEFORE, Layers.same(size, Rope.read(f, heads.dim()), Reach.ALL));
    }

    /** The first files say gelu and mean its tanh approximation; some repeat that in {@code hidden_activation}. */
    private static Decoder.Mlp mlp(Fields f) {
        Decoder.Mlp mlp = Decoder.Mlp.read(f, "hidden_act", "gelu_pytorch_tanh");
        Activation meant = mlp.activation() == Activation.GELU ? Activation.GELU_TANH : mlp.activation();
        String repeated = f.stringOrNull("hidden_activation");
        if (repeated != null && Activation.named(f, "hidden_activation", repeated) != meant) {
            throw f.wrong("hidden_activation", "null, or what hidden_act says");
        }
        return new Decoder.Mlp(mlp.name(), mlp.intermediate(), mlp.bias(), mlp.fused(), meant);
    }
}
