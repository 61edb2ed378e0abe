package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Rope;
import dev.graft.models.sites.Embedding;

/** Mistral (Jiang et al., 2023): a {@link Decoder} in which a position sees only so many before it. */
public final class Mistral extends DecoderFamily {
    /** Reads {@code model_type: mistral}. */
    public Mistral() {
        super("mistral", "Mistral");
    }

    @Override
    public boolean keepsHeadSize() {
        return true;
    }

    @Override
    Decoder.Config config(Fields f) {
        if (f.has("layer_types")) {
            throw f.wrong(
                    "layer_types", "no such field: windows that differ between layers aren't supported for Mistral");
        }
        Decoder.Size size = Decoder.size(f, 131_072);
        Decoder.Heads heads = Decoder.Heads.read(f, size, 8).withBias(false, false);
        return new Decoder.Config(
                size,
                heads,
                Decoder.Mlp.read(f),
                Decoder.Norms.read(f, 1e-6),
                Embedding.padding(f, -1),
                Layers.same(size, Rope.read(f, heads.dim()), Layers.window(f, 4096)));
    }
}
