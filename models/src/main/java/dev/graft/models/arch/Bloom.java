package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Backbone;
import dev.graft.models.attention.Alibi;
import dev.graft.models.functions.Activation;
import java.util.List;

/** BLOOM (BigScience, 2022): a {@link GptDecoder} with ALiBi, whose distances don't count padding, and a norm of the embeddings. */
public final class Bloom extends GptFamily {
    private static final GptDecoder.Names NAMES = new GptDecoder.Names(
            "",
            "word_embeddings",
            "h.",
            "input_layernorm",
            "self_attention",
            List.of("self_attention.query_key_value"),
            "self_attention.dense",
            "post_attention_layernorm",
            "mlp.dense_h_to_4h",
            "mlp.dense_4h_to_h",
            "ln_f");

    /** Reads {@code model_type: bloom}. */
    public Bloom() {
        super("bloom", "Bloom");
    }

    @Override
    double classifierDropout(Fields f) {
        Double own = f.numberOrNull("classifier_dropout");
        return own == null ? f.number("hidden_dropout", 0, 0, 1) : own;
    }

    @Override
    GptDecoder.Config config(Fields f) {
        Integer older = f.integerOrNull("n_embed");
        String heads = f.has("n_head") ? "n_head" : "num_attention_heads";
        Backbone.Size size = size(
                f,
                f.integer("vocab_size", 250880),
                older == null ? f.integer("hidden_size", 64) : older,
                heads,
                f.integer(heads, 8),
                f.has("n_layer") ? f.integer("n_layer") : f.integer("num_hidden_layers", 2),
                Backbone.Size.UNLIMITED);
        if (intermediate(f, "n_inner", size) != 4 * size.hidden()) {
            throw f.invalid("n_inner", "null or four times the size of a hidden state, " + size.hidden());
        }
        // How a product is summed in fp16 on several devices.
        f.bool("slow_but_exact", false);
        f.integer("pretraining_tp", 1);
        boolean residual = f.bool("apply_residual_connection_post_layernorm", false);
        return new GptDecoder.Config(
                size,
                NAMES,
                size.hidden(),
                -1,
                false,
                null,
                Alibi.of(size.heads(), 8, true),
                GptDecoder.Heads.own(
                        size,
                        new QkvLayout(size.heads()),
                        true,
                        true,
                        f.number("attention_dropout", 0, 0, 1),
                        GptDecoder.LayerKind.same(size, GptDecoder.LayerKind.usual(size))),
                new GptDecoder.Mlp(4 * size.hidden(), true, Activation.GELU_TANH),
                GptDecoder.Norms.before(f.number("layer_norm_epsilon", 1e-5, 0, 1))
                        .withPlacement(residual ? GptDecoder.NormPlacement.RESIDUAL : GptDecoder.NormPlacement.BEFORE)
                        .withFirst(true),
                0,
                f.number("hidden_dropout", 0, 0, 1));
    }
}
