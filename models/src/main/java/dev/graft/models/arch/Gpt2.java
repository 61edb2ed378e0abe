package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Backbone;
import dev.graft.models.Task;
import dev.graft.models.functions.Activation;
import java.util.List;
import java.util.stream.IntStream;

/**
 * GPT-2 (Radford et al., 2019): the plain {@link GptDecoder}. Checkpoints store all its matrices as {@code [in, out]}.
 */
public final class Gpt2 extends GptFamily {
    /** Reads {@code model_type: gpt2}. */
    public Gpt2() {
        super("gpt2", "GPT2");
    }

    @Override
    public String className(Task task) {
        return task == Task.CAUSAL_LM ? "GPT2LMHeadModel" : super.className(task);
    }

    @Override
    GptDecoder.Config config(Fields f) {
        Backbone.Size size = size(f);
        double scale = scale(f, size);
        boolean byLayer = f.bool("scale_attn_by_inverse_layer_idx", false);
        List<GptDecoder.LayerKind> kinds = IntStream.range(0, size.layers())
                .mapToObj(i -> new GptDecoder.LayerKind(byLayer ? scale / (i + 1) : scale, 0))
                .toList();
        // The same product in another order, for fp16.
        f.bool("reorder_and_upcast_attn", false);
        GptDecoder.Heads heads =
                GptDecoder.Heads.own(size, QkvLayout.PARTS, true, true, f.number("attn_pdrop", 0.1, 0, 1), kinds);
        return config(f, size, heads, "gelu_new", true);
    }

    static Backbone.Size size(Fields f) {
        return size(
                f,
                f.integer("vocab_size", 50257),
                f.integer("n_embd", 768),
                "n_head",
                f.integer("n_head", 12),
                f.integer("n_layer", 12),
                f.integer("n_positions", 1024));
    }

    static double scale(Fields f, Backbone.Size size) {
        return f.bool("scale_attn_weights", true) ? GptDecoder.LayerKind.usual(size) : 1;
    }

    /** Returns the shape in GPT-2's fields, with these heads. */
    static GptDecoder.Config config(
            Fields f, Backbone.Size size, GptDecoder.Heads heads, String activation, boolean transposed) {
        return new GptDecoder.Config(
                size,
                GptDecoder.Names.GPT2,
                size.hidden(),
                -1,
                transposed,
                new GptDecoder.Positions("wpe", 0, false),
                null,
                heads,
                new GptDecoder.Mlp(
                        intermediate(f, "n_inner", size), true, Activation.read(f, "activation_function", activation)),
                GptDecoder.Norms.before(f.number("layer_norm_epsilon", 1e-5, 0, 1)),
                f.number("embd_pdrop", 0.1, 0, 1),
                f.number("resid_pdrop", 0.1, 0, 1));
    }
}
