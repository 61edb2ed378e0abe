package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.functions.Activation;
import dev.graft.models.weights.Weights;

/**
 * GPT-NeoX (Black et al., 2022) and Pythia: a {@link PreNormDecoder} that rotates the first part of each head. One
 * layer computes queries, keys and values, grouped by head. Each block has a norm, and both read the same stream unless
 * {@code use_parallel_residual} is false.
 */
public final class GptNeoX extends PreNormFamily {
    private static final PreNormDecoder.Names NAMES = new PreNormDecoder.Names(
            "embed_in", "layers", "attention", "dense", "dense_h_to_4h", "dense_4h_to_h", "final_layer_norm");

    /** Reads {@code model_type: gpt_neox}. */
    public GptNeoX() {
        super("gpt_neox", "GPTNeoX", "gpt_neox.");
    }

    @Override
    String tokenClassifier() {
        return "classifier";
    }

    @Override
    double dropout(Fields f) {
        return f.number("classifier_dropout", 0.1, 0, 1);
    }

    @Override
    public Model build(Fields f, Weights w, HeadSpec spec) {
        // Checkpoints hold the vocabulary's head under its first name.
        if (spec.task() == Task.CAUSAL_LM && !f.bool("tie_word_embeddings", tied()) && !w.has("lm_head.weight")) {
            w.renamed("lm_head.weight", "embed_out.weight", f.integer("vocab_size"), f.integer("hidden_size"));
        }
        return super.build(f, w, spec);
    }

    @Override
    PreNormDecoder.Config config(Fields f) {
        PreNormDecoder.Size size = PreNormDecoder.size(f, 2048);
        int dim = size.hidden() / size.heads();
        boolean bias = f.bool("attention_bias", true);
        double hiddenDropout = f.number("hidden_dropout", 0.0, 0, 1);
        return new PreNormDecoder.Config(
                size,
                NAMES,
                new PreNormDecoder.Heads(
                        size.heads(),
                        dim,
                        new PreNormDecoder.Fused("query_key_value", new QkvLayout(size.heads())),
                        bias,
                        bias,
                        PreNormDecoder.HeadNorm.NONE),
                new PreNormDecoder.Mlp(
                        f.integer("intermediate_size"), false, true, Activation.read(f, "hidden_act", "gelu")),
                new PreNormDecoder.Norms(
                        "input_layernorm",
                        "post_attention_layernorm",
                        f.bool("use_parallel_residual", true),
                        f.number("layer_norm_eps", 1e-5, 0, 1)),
                new PreNormDecoder.Dropouts(
                        hiddenDropout, f.number("attention_dropout", 0.0, 0, 1), hiddenDropout, hiddenDropout),
                -1,
                RopeScaling.read(f, dim, f.number("rotary_emb_base", 10_000), f.number("rotary_pct", 0.25, 0, 1)));
    }
}
