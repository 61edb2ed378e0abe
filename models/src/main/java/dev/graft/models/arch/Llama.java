package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Reach;
import dev.graft.models.Rope;
import dev.graft.models.sites.Embedding;

/**
 * Llama 1 to 3 (Touvron et al., 2023; Dubey et al., 2024), and models with its {@code model_type} such as SmolLM2: the {@link Decoder} as it
 * is, with a choice of biases.
 */
public final class Llama extends DecoderFamily {
    /** Reads {@code model_type: llama}. */
    public Llama() {
        super("llama", "Llama");
    }

    @Override
    boolean answersAsTransformer() {
        return true;
    }

    @Override
    public boolean keepsHeadSize() {
        return true;
    }

    @Override
    Decoder.Config config(Fields f) {
        if (f.integer("pretraining_tp", 1) != 1) {
            throw f.wrong("pretraining_tp", "1");
        }
        Decoder.Size size = Decoder.size(f, 2048);
        Decoder.Heads heads = Decoder.Heads.read(f, size, size.heads());
        return new Decoder.Config(
                size,
                heads,
                Decoder.Mlp.read(f),
                Decoder.Norms.read(f, 1e-6),
                Embedding.padding(f, -1),
                Layers.same(size, Rope.read(f, heads.dim()), Reach.ALL));
    }
}
