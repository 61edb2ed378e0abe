package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.attention.AttentionWindow;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.functions.Activation;

/** Gemma and CodeGemma (Gemma Team, 2024): a {@link LlamaDecoder} with scaled embeddings and norms around 1. */
public final class Gemma extends GemmaFamily {
    /** Reads {@code model_type: gemma}. */
    public Gemma() {
        super("gemma", "Gemma");
    }

    @Override
    LlamaConfig config(Fields f) {
        LlamaDecoder.Size size = LlamaConfig.size(f, 8192);
        LlamaConfig.Heads heads = heads(f, size, 16);
        return config(
                f,
                size,
                heads,
                mlp(f),
                LlamaConfig.NormPlacement.BEFORE,
                LayerTypes.same(size, RopeScaling.read(f, heads.dim()), AttentionWindow.ALL));
    }

    /**
     * Reads the feed-forward block. The first files name gelu for its tanh approximation; some repeat that in
     * {@code hidden_activation}.
     */
    private static LlamaConfig.Mlp mlp(Fields f) {
        LlamaConfig.Mlp mlp = LlamaConfig.Mlp.read(f, "hidden_act", "gelu_pytorch_tanh");
        Activation meant = mlp.activation() == Activation.GELU ? Activation.GELU_TANH : mlp.activation();
        String repeated = f.stringOrNull("hidden_activation");
        if (repeated != null && Activation.named(f, "hidden_activation", repeated) != meant) {
            throw f.invalid("hidden_activation", "null, or what hidden_act says");
        }
        return new LlamaConfig.Mlp(mlp.name(), mlp.intermediate(), mlp.bias(), mlp.fused(), meant);
    }
}
