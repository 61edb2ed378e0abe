package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.heads.Head;
import dev.graft.models.weights.Weights;

/** BERT (Devlin et al., 2019), and sentence encoders with its {@code model_type} such as MiniLM and BGE. */
public class Bert extends BertFamily {
    /** Reads {@code model_type: bert}. */
    public Bert() {
        this("bert", "Bert", "bert.");
    }

    Bert(String modelType, String stem, String prefix) {
        super(modelType, stem, prefix);
    }

    @Override
    BertEncoder.Config config(Fields f) {
        return BertEncoder.Config.read(f, f.integer("type_vocab_size", 2), 0, false);
    }

    @Override
    boolean pools(Task task) {
        return super.pools(task) || task == Task.SEQ_CLS;
    }

    @Override
    Head sequence(BertEncoder encoder, Fields f, Weights w, HeadSpec spec) {
        return pooled(encoder, dropout(encoder, f), w, spec);
    }

    @Override
    Head choice(BertEncoder encoder, Fields f, Weights w, HeadSpec spec) {
        return pooled(encoder, dropout(encoder, f), w, spec);
    }

    @Override
    Head masked(BertEncoder encoder, Fields f, Weights w) {
        String t = "cls.predictions.";
        return vocabulary(
                encoder.words(),
                t + "transform.dense",
                encoder.config().activation(),
                t + "transform.LayerNorm",
                encoder.config().eps(),
                t + "decoder",
                t + "bias",
                encoder.hiddenSize(),
                w);
    }
}
