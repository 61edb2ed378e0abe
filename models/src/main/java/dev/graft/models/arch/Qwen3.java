package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Rope;
import dev.graft.models.sites.Embedding;

/** Qwen3 (Yang et al., 2025): a {@link Decoder} that normalises each head's queries and keys. */
public final class Qwen3 extends DecoderFamily {
    /** Reads {@code model_type: qwen3}. */
    public Qwen3() {
        super("qwen3", "Qwen3");
    }

    @Override
    boolean answersAsTransformer() {
        return true;
    }

    @Override
    Decoder.Config config(Fields f) {
        Decoder.Size size = Decoder.size(f, 32_768);
        Decoder.Heads heads = Decoder.Heads.read(f, size, 32, 128).withNorm(Decoder.HeadNorm.EACH);
        return new Decoder.Config(
                size,
                heads,
                Decoder.Mlp.read(f),
                Decoder.Norms.read(f, 1e-6),
                Embedding.padding(f, -1),
                Layers.qwen(f, size, Rope.read(f, heads.dim())));
    }
}
