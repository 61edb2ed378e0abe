package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.attention.AttentionWindow;
import dev.graft.models.attention.Rope;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.sites.Embedding;
import java.util.ArrayList;
import java.util.List;

/** Qwen3's mixtures of experts (Yang et al., 2025): {@link Qwen3} with a {@link MixtureOfExperts} in all layers or some. */
public final class Qwen3Moe extends LlamaFamily {
    /** Reads {@code model_type: qwen3_moe}. */
    public Qwen3Moe() {
        super("qwen3_moe", "Qwen3Moe");
    }

    @Override
    boolean answersAsTransformer() {
        return true;
    }

    @Override
    LlamaConfig config(Fields f) {
        LlamaDecoder.Size size = LlamaConfig.size(f, 32_768);
        LlamaConfig.Heads heads = LlamaConfig.Heads.read(f, size, 4).withNorm(LlamaConfig.HeadNorm.EACH);
        LlamaConfig.Mlp mlp = LlamaConfig.Mlp.read(f);
        // transformers writes the first name, files before it have the second.
        int count = f.integer("num_local_experts", f.integer("num_experts", 128, 0), 0);
        MixtureOfExperts.Config experts = new MixtureOfExperts.Config(
                count,
                f.integer("num_experts_per_tok", 8, 1),
                f.integer("moe_intermediate_size", 768),
                f.bool("norm_topk_prob", false) ? MixtureOfExperts.Gate.NORMALISED : MixtureOfExperts.Gate.PROBABILITY,
                false,
                mlp.activation(),
                MixtureOfExperts.Names.of(new MixtureOfExperts.Files("mlp", "gate_proj", "up_proj", "down_proj")),
                MixtureOfExperts.balance(f));
        List<Integer> dense = f.integersOrNull("mlp_only_layers");
        int every = f.integer("decoder_sparse_step", 1, 1);
        AttentionWindow window = f.bool("use_sliding_window", false) ? LayerTypes.window(f, 4096) : AttentionWindow.ALL;
        Rope rope = RopeScaling.read(f, heads.dim());
        List<LlamaConfig.LayerKind> kinds = new ArrayList<>();
        for (int i = 0; i < size.layers(); i++) {
            boolean mixed = count > 0 && (i + 1) % every == 0 && (dense == null || !dense.contains(i));
            kinds.add(new LlamaConfig.LayerKind(rope, window, mixed ? experts : null));
        }
        return new LlamaConfig(
                size, heads, mlp, LlamaConfig.Norms.read(f, 1e-6), Embedding.padding(f, -1), List.copyOf(kinds));
    }
}
