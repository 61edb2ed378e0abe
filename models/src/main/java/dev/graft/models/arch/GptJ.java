package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.functions.Activation;
import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * GPT-J (Wang and Komatsuzaki, 2021): a {@link PreNormDecoder} whose blocks read one norm. It rotates pairs of
 * neighbours among the first {@code rotary_dim} values of each head.
 */
public final class GptJ extends PreNormFamily {
    private static final PreNormDecoder.Names NAMES =
            new PreNormDecoder.Names("wte", "h", "attn", "out_proj", "fc_in", "fc_out", "ln_f");

    /** Reads {@code model_type: gptj}. */
    public GptJ() {
        super("gptj", "GPTJ", "transformer.");
    }

    @Override
    boolean biased() {
        return true;
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_CLS, Task.QUESTION_ANS, Task.CAUSAL_LM);
    }

    @Override
    PreNormDecoder.Config config(Fields f) {
        return config(f, null);
    }

    /** Reads the common fields of GPT-J and CodeGen. */
    static PreNormDecoder.Config config(Fields f, PreNormDecoder.@Nullable Fused fused) {
        int hidden = f.integer("n_embd", 4096);
        int heads = f.integer("n_head", 16);
        if (heads < 1 || hidden % heads != 0) {
            throw f.invalid("n_head", "a divisor of n_embd " + hidden);
        }
        int dim = hidden / heads;
        int turned = f.integer("rotary_dim", 64);
        if (turned < 2 || turned > dim || turned % 2 != 0) {
            throw f.invalid("rotary_dim", "an even number of at most n_embd / n_head " + dim);
        }
        Integer inner = f.integerOrNull("n_inner");
        double residualDropout = f.number("resid_pdrop", 0.0, 0, 1);
        return new PreNormDecoder.Config(
                new PreNormDecoder.Size(
                        f.integer("vocab_size", 50_400),
                        hidden,
                        f.integer("n_layer", 28),
                        heads,
                        f.integer("n_positions", 2048)),
                NAMES,
                new PreNormDecoder.Heads(heads, dim, fused, false, false, PreNormDecoder.HeadNorm.NONE),
                new PreNormDecoder.Mlp(
                        inner == null ? 4 * hidden : inner,
                        false,
                        true,
                        Activation.read(f, "activation_function", "gelu_new")),
                new PreNormDecoder.Norms("ln_1", null, true, f.number("layer_norm_epsilon", 1e-5, 0, 1)),
                new PreNormDecoder.Dropouts(
                        f.number("embd_pdrop", 0.0, 0, 1),
                        f.number("attn_pdrop", 0.0, 0, 1),
                        residualDropout,
                        residualDropout),
                -1,
                RopeScaling.ofInterleaved(10_000, turned));
    }
}
