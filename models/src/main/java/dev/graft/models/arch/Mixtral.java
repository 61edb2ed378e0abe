package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.sites.Embedding;
import java.util.Collections;

/** Mixtral (Jiang et al., 2024): Mistral with a {@link MixtureOfExperts} in place of the feed-forward block. */
public final class Mixtral extends LlamaFamily {
    /** Reads {@code model_type: mixtral}. */
    public Mixtral() {
        super("mixtral", "Mixtral");
    }

    @Override
    LlamaConfig config(Fields f) {
        if (f.number("router_jitter_noise", 0) != 0) {
            throw f.invalid("router_jitter_noise", "0: noise on what the router sees isn't supported");
        }
        LlamaDecoder.Size size = LlamaConfig.size(f, 131_072);
        LlamaConfig.Heads heads =
                LlamaConfig.Heads.read(f, size, 8).withBias(false).withOutputBias(false);
        LlamaConfig.Mlp mlp = LlamaConfig.Mlp.read(f);
        MixtureOfExperts.Config experts = new MixtureOfExperts.Config(
                f.integer("num_local_experts", 8, 1),
                f.integer("num_experts_per_tok", 2, 1),
                mlp.intermediate(),
                MixtureOfExperts.Gate.NORMALISED,
                false,
                mlp.activation(),
                MixtureOfExperts.Names.of(new MixtureOfExperts.Files("block_sparse_moe", "w1", "w3", "w2")),
                MixtureOfExperts.balance(f));
        LlamaConfig.LayerKind kind =
                new LlamaConfig.LayerKind(RopeScaling.read(f, heads.dim(), 1e6), LayerTypes.window(f, 0), experts);
        return new LlamaConfig(
                size,
                heads,
                mlp,
                LlamaConfig.Norms.read(f, 1e-5),
                Embedding.padding(f, -1),
                Collections.nCopies(size.layers(), kind));
    }
}
