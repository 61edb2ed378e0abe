package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.Head;
import dev.graft.models.weights.Weights;

/**
 * RoBERTa (Liu et al., 2019): BERT without segments and with heads of its own. Positions count the tokens that aren't
 * padding, from the id of padding plus one.
 */
public class Roberta extends BertFamily {
    /** Reads {@code model_type: roberta}. */
    public Roberta() {
        this("roberta", "Roberta", "roberta.");
    }

    Roberta(String modelType, String stem, String prefix) {
        super(modelType, stem, prefix);
    }

    @Override
    BertEncoder.Config config(Fields f) {
        return BertEncoder.Config.read(f, f.integer("type_vocab_size", 2), 1, true);
    }

    @Override
    Head sequence(BertEncoder encoder, Fields f, Weights w, HeadSpec spec) {
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
    Head masked(BertEncoder encoder, Fields f, Weights w) {
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
            super("xlm-roberta", "XLMRoberta", "roberta.");
        }
    }
}
