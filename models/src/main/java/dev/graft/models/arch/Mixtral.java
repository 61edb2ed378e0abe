package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Rope;
import dev.graft.models.sites.Embedding;
import java.util.Collections;

/** Mixtral (Jiang et al., 2024): Mistral with a {@link Mixture} of experts in place of the feed-forward block. */
public final class Mixtral extends DecoderFamily {
    /** Reads {@code model_type: mixtral}. */
    public Mixtral() {
        super("mixtral", "Mixtral");
    }

    @Override
    Decoder.Config config(Fields f) {
        if (f.number("router_jitter_noise", 0) != 0) {
            throw f.wrong("router_jitter_noise", "0: noise on what the router sees isn't supported");
        }
        Decoder.Size size = Decoder.size(f, 131_072);
        Decoder.Heads heads = Decoder.Heads.read(f, size, 8).withBias(false, false);
        Decoder.Mlp mlp = Decoder.Mlp.read(f);
        Mixture.Config experts = new Mixture.Config(
                f.integer("num_local_experts", 8, 1),
                f.integer("num_experts_per_tok", 2, 1),
                mlp.intermediate(),
                Mixture.Gate.NORMALISED,
                false,
                mlp.activation(),
                Mixture.Names.of(new Mixture.Files("block_sparse_moe", "w1", "w3", "w2")),
                Mixture.balance(f));
        Decoder.Kind kind = new Decoder.Kind(Rope.read(f, heads.dim(), 1e6), Layers.window(f, 0), experts);
        return new Decoder.Config(
                size,
                heads,
                mlp,
                Decoder.Norms.read(f, 1e-5),
                Embedding.padding(f, -1),
                Collections.nCopies(size.layers(), kind));
    }
}
