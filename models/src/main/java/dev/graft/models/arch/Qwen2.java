package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Rope;
import dev.graft.models.sites.Embedding;

/**
 * Qwen2 and Qwen2.5 (Yang et al., 2024): a {@link Decoder} with biases in queries, keys and values alone, and a window in its later layers if
 * {@code use_sliding_window} is true.
 */
public final class Qwen2 extends DecoderFamily {
    /** Reads {@code model_type: qwen2}. */
    public Qwen2() {
        super("qwen2", "Qwen2");
    }

    @Override
    boolean answersAsTransformer() {
        return true;
    }

    @Override
    Decoder.Config config(Fields f) {
        Decoder.Size size = Decoder.size(f, 32_768);
        Decoder.Heads heads = Decoder.Heads.read(f, size, 32).withBias(true, false);
        return new Decoder.Config(
                size,
                heads,
                Decoder.Mlp.read(f),
                Decoder.Norms.read(f, 1e-6),
                Embedding.padding(f, -1),
                Layers.qwen(f, size, Rope.read(f, heads.dim())));
    }
}
