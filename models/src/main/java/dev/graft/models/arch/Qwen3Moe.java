package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Reach;
import dev.graft.models.Rope;
import dev.graft.models.sites.Embedding;
import java.util.ArrayList;
import java.util.List;

/** Qwen3's mixtures of experts (Yang et al., 2025): {@link Qwen3} with a {@link Mixture} in all layers or some. */
public final class Qwen3Moe extends DecoderFamily {
    /** Reads {@code model_type: qwen3_moe}. */
    public Qwen3Moe() {
        super("qwen3_moe", "Qwen3Moe");
    }

    @Override
    boolean answersAsTransformer() {
        return true;
    }

    @Override
    Decoder.Config config(Fields f) {
        Decoder.Size size = Decoder.size(f, 32_768);
        Decoder.Heads heads = Decoder.Heads.read(f, size, 4).withNorm(Decoder.HeadNorm.EACH);
        Decoder.Mlp mlp = Decoder.Mlp.read(f);
        // transformers writes the first name, files before it have the second.
        int count = f.integer("num_local_experts", f.integer("num_experts", 128, 0), 0);
        Mixture.Config experts = new Mixture.Config(
                count,
                f.integer("num_experts_per_tok", 8, 1),
                f.integer("moe_intermediate_size", 768),
                f.bool("norm_topk_prob", false) ? Mixture.Gate.NORMALISED : Mixture.Gate.PROBABILITY,
                false,
                mlp.activation(),
                Mixture.Names.of(new Mixture.Files("mlp", "gate_proj", "up_proj", "down_proj")),
                Mixture.balance(f));
        List<Integer> dense = f.integersOrNull("mlp_only_layers");
        int every = f.integer("decoder_sparse_step", 1, 1);
        Reach window = f.bool("use_sliding_window", false) ? Layers.window(f, 4096) : Reach.ALL;
        Rope rope = Rope.read(f, heads.dim());
        List<Decoder.Kind> kinds = new ArrayList<>();
        for (int i = 0; i < size.layers(); i++) {
            boolean mixed = count > 0 && (i + 1) % every == 0 && (dense == null || !dense.contains(i));
            kinds.add(new Decoder.Kind(rope, window, mixed ? experts : null));
        }
        return new Decoder.Config(
                size, heads, mlp, Decoder.Norms.read(f, 1e-6), Embedding.padding(f, -1), List.copyOf(kinds));
    }
}
