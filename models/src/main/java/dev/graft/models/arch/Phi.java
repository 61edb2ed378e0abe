package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.functions.Activation;
import dev.graft.models.sites.Embedding;
import java.util.EnumSet;
import java.util.Set;

/**
 * Phi-1, Phi-1.5 and Phi-2 (Gunasekar et al., 2023; Li et al., 2023): a {@link PreNormDecoder} whose blocks read one
 * norm. It has biases everywhere, also in the vocabulary head, and a norm of all heads if {@code qk_layernorm} is true.
 */
public final class Phi extends PreNormFamily {
    private static final PreNormDecoder.Names NAMES =
            new PreNormDecoder.Names("embed_tokens", "layers", "self_attn", "dense", "fc1", "fc2", "final_layernorm");

    /** Reads {@code model_type: phi}. */
    public Phi() {
        super("phi", "Phi", "model.");
    }

    @Override
    boolean biased() {
        return true;
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_CLS, Task.TOKEN_CLS, Task.CAUSAL_LM);
    }

    @Override
    PreNormDecoder.Config config(Fields f) {
        PreNormDecoder.Size size = PreNormDecoder.size(f, 2048);
        int dim = size.hidden() / size.heads();
        double residualDropout = f.number("resid_pdrop", 0.0, 0, 1);
        return new PreNormDecoder.Config(
                size,
                NAMES,
                new PreNormDecoder.Heads(
                        LlamaConfig.Heads.keyValues(f, size, size.heads()),
                        dim,
                        null,
                        true,
                        true,
                        f.bool("qk_layernorm", false) ? PreNormDecoder.HeadNorm.EACH : PreNormDecoder.HeadNorm.NONE),
                new PreNormDecoder.Mlp(
                        f.integer("intermediate_size"), false, true, Activation.read(f, "hidden_act", "gelu_new")),
                new PreNormDecoder.Norms("input_layernorm", null, true, f.number("layer_norm_eps", 1e-5, 0, 1)),
                new PreNormDecoder.Dropouts(
                        f.number("embd_pdrop", 0.0, 0, 1),
                        f.number("attention_dropout", 0.0, 0, 1),
                        residualDropout,
                        residualDropout),
                Embedding.padding(f, -1),
                RopeScaling.read(f, dim, 10_000, 0.5));
    }
}
