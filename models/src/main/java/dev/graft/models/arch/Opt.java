package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Backbone;
import dev.graft.models.Task;
import dev.graft.models.functions.Activation;
import dev.graft.models.sites.Embedding;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * OPT (Zhang et al., 2022): a {@link GptDecoder} whose positions count tokens without padding and begin at row 2. The
 * model with 350 million parameters has its norms behind its blocks, and its embeddings are smaller than its hidden
 * states.
 */
public final class Opt extends GptFamily {
    private static final GptDecoder.Names NAMES = new GptDecoder.Names(
            "decoder.",
            "embed_tokens",
            "layers.",
            "self_attn_layer_norm",
            "self_attn",
            List.of("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            "self_attn.out_proj",
            "final_layer_norm",
            "fc1",
            "fc2",
            "final_layer_norm");

    /** Reads {@code model_type: opt}. */
    public Opt() {
        super("opt", "OPT");
    }

    @Override
    public String prefix() {
        return "model.";
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_CLS, Task.QUESTION_ANS, Task.CAUSAL_LM);
    }

    @Override
    GptDecoder.Config config(Fields f) {
        Backbone.Size size = size(
                f,
                f.integer("vocab_size", 50272),
                f.integer("hidden_size", 768),
                "num_attention_heads",
                f.integer("num_attention_heads", 12),
                f.integer("num_hidden_layers", 12),
                f.integer("max_position_embeddings", 2048));
        // Older files say so, and transformers drops nothing there.
        f.number("activation_dropout", 0, 0, 1);
        if (f.number("layerdrop", 0, 0, 1) != 0) {
            throw f.invalid("layerdrop", "0: whole layers aren't dropped in training; set it so");
        }
        if (!f.bool("layer_norm_elementwise_affine", true)) {
            throw f.invalid("layer_norm_elementwise_affine", "true: only norms with parameters are supported");
        }
        boolean bias = f.bool("enable_bias", true);
        boolean before = f.bool("do_layer_norm_before", true);
        Integer embedding = f.integerOrNull("word_embed_proj_dim");
        return new GptDecoder.Config(
                size,
                NAMES,
                embedding == null ? size.hidden() : embedding,
                Embedding.padding(f, 1),
                false,
                new GptDecoder.Positions("embed_positions", 2, true),
                null,
                GptDecoder.Heads.own(
                        size,
                        QkvLayout.PARTS,
                        bias,
                        bias,
                        f.number("attention_dropout", 0, 0, 1),
                        GptDecoder.LayerKind.same(size, GptDecoder.LayerKind.usual(size))),
                new GptDecoder.Mlp(f.integer("ffn_dim", 3072), bias, Activation.read(f, "activation_function", "relu")),
                new GptDecoder.Norms(
                        before ? GptDecoder.NormPlacement.BEFORE : GptDecoder.NormPlacement.BEHIND,
                        true,
                        false,
                        before && !f.bool("_remove_final_layer_norm", false),
                        1e-5),
                0,
                f.number("dropout", 0.1, 0, 1));
    }
}
