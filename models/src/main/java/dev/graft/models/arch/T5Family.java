package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.Head;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.models.weights.Weights;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/** T5, Flan and their descendants: the heads, and a {@link T5} in the shape of config.json. */
public class T5Family extends NamedFamily {
    /** Reads {@code model_type: t5}. */
    public T5Family() {
        this("t5", "T5");
    }

    private T5Family(String modelType, String stem) {
        super(modelType, stem, "");
    }

    /**
     * Unties the head. The default of {@code scale_decoder_outputs} depends on the tie, so its value is written first.
     */
    @Override
    public void untie(ObjectNode config) {
        config.put("scale_decoder_outputs", scales(Fields.of("config.json", config)));
        super.untie(config);
    }

    /**
     * Returns whether the decoder's output is scaled down before the head. Version 1.1 unties the head and does not
     * scale; newer files have a field.
     */
    boolean scales(Fields config) {
        return config.bool("scale_decoder_outputs", config.bool("tie_word_embeddings", true));
    }

    /** Returns whether each layer has a bias of its own, instead of that of the first layer. */
    boolean biasesLayers() {
        return false;
    }

    /** Returns the default of the feed-forward block in config.json. */
    String absentActivation() {
        return "relu";
    }

    @Override
    public String prefix(Task task) {
        return task == Task.SEQ_CLS || task == Task.TOKEN_CLS ? "transformer." : prefix();
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_2_SEQ_LM, Task.SEQ_CLS, Task.TOKEN_CLS, Task.QUESTION_ANS);
    }

    @Override
    public Model build(Fields config, Weights weights, HeadSpec spec) {
        T5.Config c = read(config);
        Task task = spec.task();
        boolean reads = task == Task.SEQ_CLS || task == Task.QUESTION_ANS;
        boolean shrinks = task == Task.SEQ_2_SEQ_LM && scales(config);
        T5 t5 = new T5(
                c,
                weights,
                prefix(task),
                task != Task.TOKEN_CLS,
                reads ? start(config) : null,
                shrinks ? 1 / Math.sqrt(c.width()) : 1);
        return new Model(
                t5,
                switch (task) {
                    case SEQ_2_SEQ_LM -> vocabulary(c, t5, weights);
                    case SEQ_CLS -> EncoderDecoderHeads.sequence(config, weights, spec, c.width());
                    case TOKEN_CLS -> EncoderDecoderHeads.tokens(config, weights, spec, c.width());
                    case QUESTION_ANS -> EncoderDecoderHeads.answers(weights, spec, c.width());
                    default -> new Head.NoHead(List.of());
                });
    }

    private static Integer start(Fields f) {
        Integer start = f.integerOrNull("decoder_start_token_id", 0, Integer.MAX_VALUE);
        if (start == null) {
            throw f.invalid("decoder_start_token_id", "the id of the token behind which the decoder reads the text");
        }
        return start;
    }

    private static Head vocabulary(T5.Config c, T5 t5, Weights w) {
        Tensor weight = w.has("lm_head.weight")
                ? w.matrix("lm_head.weight", c.vocab(), c.width())
                : t5.tokens().weight();
        return new Head.PerToken(new Linear("lm_head", Role.HEAD, -1, weight, null));
    }

    private T5.Config read(Fields f) {
        String activation = f.string("feed_forward_proj", absentActivation());
        boolean gated = activation.startsWith("gated-");
        String name = gated ? activation.substring("gated-".length()) : activation;
        int layers = f.integer("num_layers");
        Integer decoderLayers = f.integerOrNull("num_decoder_layers");
        return new T5.Config(
                f.integer("vocab_size"),
                f.integer("d_model"),
                f.integer("d_kv"),
                f.integer("num_heads"),
                f.integer("d_ff"),
                layers,
                decoderLayers == null ? layers : decoderLayers,
                f.integer("relative_attention_num_buckets", 32),
                f.integer("relative_attention_max_distance", 128),
                f.number("layer_norm_epsilon", 1e-6, 0, 1),
                f.number("dropout_rate", 0.1, 0, 1),
                f.integer("pad_token_id", 0, 0),
                // The first gated models were trained with the tanh approximation, which their name doesn't say.
                activation.equals("gated-gelu") ? Activation.GELU_TANH : Activation.named(f, "feed_forward_proj", name),
                gated,
                biasesLayers());
    }

    /** mT5 (Xue et al., 2021): version 1.1 in a hundred languages. */
    public static final class Multilingual extends T5Family {
        /** Reads {@code model_type: mt5}. */
        public Multilingual() {
            super("mt5", "MT5");
        }

        @Override
        boolean scales(Fields config) {
            return false;
        }

        @Override
        String absentActivation() {
            return "gated-gelu";
        }
    }

    /** umT5 (Chung et al., 2023): version 1.1 in a hundred languages, each layer with a bias of its own. */
    public static final class UniMax extends T5Family {
        /** Reads {@code model_type: umt5}. */
        public UniMax() {
            super("umt5", "UMT5");
        }

        @Override
        boolean biasesLayers() {
            return true;
        }

        @Override
        String absentActivation() {
            return "gated-gelu";
        }
    }
}
