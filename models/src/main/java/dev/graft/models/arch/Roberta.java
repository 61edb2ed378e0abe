package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Activation;
import dev.graft.models.Head;
import dev.graft.models.Weights;

/**
 * RoBERTa (Liu et al., 2019): BERT without segments, with positions counted from the tokens that aren't padding, behind the padding's id, and
 * with heads of its own.
 */
public class Roberta extends EncoderFamily {
    /** Reads {@code model_type: roberta}. */
    public Roberta() {
        this("roberta", "Roberta");
    }

    private Roberta(String modelType, String stem) {
        super(modelType, stem, "roberta.");
    }

    @Override
    Encoder.Config config(Fields f) {
        return Encoder.Config.read(f, f.integer("type_vocab_size", 2), 1, true);
    }

    @Override
    Head sequence(Encoder encoder, Fields f, Weights w, HeadSpec spec) {
        double dropout = dropout(encoder, f);
        return first(
                "classifier.dense",
                Activation.TANH,
                dropout,
                dropout,
                "classifier.out_proj",
                encoder.hiddenSize(),
                w,
                spec);
    }

    @Override
    Head masked(Encoder encoder, Fields f, Weights w) {
        return vocabulary(
                encoder.words(),
                "lm_head.dense",
                Activation.GELU,
                "lm_head.layer_norm",
                encoder.config().eps(),
                "lm_head.decoder",
                "lm_head.bias",
                encoder.hiddenSize(),
                w);
    }

    /** XLM-RoBERTa (Conneau et al., 2020): RoBERTa in a hundred languages. */
    public static final class Multilingual extends Roberta {
        /** Reads {@code model_type: xlm-roberta}. */
        public Multilingual() {
            super("xlm-roberta", "XLMRoberta");
        }
    }
}
