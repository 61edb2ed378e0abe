package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.functions.Activation;
import dev.graft.models.sites.Embedding;
import java.util.EnumSet;
import java.util.Set;

/**
 * StableLM (Bellagente et al., 2024): a {@link PreNormDecoder} with a gated feed-forward block. If
 * {@code use_parallel_residual} is true, both blocks read one norm. If {@code qk_layernorm} is true, each head has a
 * norm of its own.
 */
public final class StableLm extends PreNormFamily {
    private static final PreNormDecoder.Names NAMES =
            new PreNormDecoder.Names("embed_tokens", "layers", "self_attn", "o_proj", "up_proj", "down_proj", "norm");

    /** Reads {@code model_type: stablelm}. */
    public StableLm() {
        super("stablelm", "StableLm", "model.");
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_CLS, Task.TOKEN_CLS, Task.CAUSAL_LM);
    }

    @Override
    PreNormDecoder.Config config(Fields f) {
        PreNormDecoder.Size size = PreNormDecoder.size(f, 4096);
        int dim = size.hidden() / size.heads();
        boolean parallel = f.bool("use_parallel_residual", false);
        return new PreNormDecoder.Config(
                size,
                NAMES,
                new PreNormDecoder.Heads(
                        LlamaConfig.Heads.keyValues(f, size, 32),
                        dim,
                        null,
                        f.bool("use_qkv_bias", false),
                        false,
                        f.bool("qk_layernorm", false) ? PreNormDecoder.HeadNorm.OWN : PreNormDecoder.HeadNorm.NONE),
                new PreNormDecoder.Mlp(
                        f.integer("intermediate_size"), true, false, Activation.read(f, "hidden_act", "silu")),
                new PreNormDecoder.Norms(
                        "input_layernorm",
                        parallel ? null : "post_attention_layernorm",
                        parallel,
                        f.number("layer_norm_eps", 1e-5, 0, 1)),
                new PreNormDecoder.Dropouts(
                        0, f.number("attention_dropout", 0.0, 0, 1), 0, f.number("hidden_dropout", 0.0, 0, 1)),
                Embedding.padding(f, -1),
                RopeScaling.read(f, dim, 10_000, 0.25));
    }
}
