package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Activation;
import dev.graft.models.Head;
import dev.graft.models.Task;
import dev.graft.models.Weights;
import dev.graft.models.sites.Linear;

/** BERT (Devlin et al., 2019), and sentence encoders with its {@code model_type} such as MiniLM and BGE. */
public final class Bert extends EncoderFamily {
    /** Reads {@code model_type: bert}. */
    public Bert() {
        super("bert", "Bert", "bert.");
    }

    @Override
    Encoder.Config config(Fields f) {
        return Encoder.Config.read(f, f.integer("type_vocab_size", 2), 0, false);
    }

    @Override
    boolean pools(Task task) {
        return task == Task.FEATURE_EXTRACTION || task == Task.SEQ_CLS;
    }

    /** Its pooler and a classifier; checkpoints of sentence encoders may have no pooler. */
    @Override
    Head sequence(Encoder encoder, Fields f, Weights w, HeadSpec spec) {
        Linear pooler = encoder.pooler();
        return new Head.Sequence(
                pooler == null ? spec.pooling() : Head.Pooling.FIRST,
                pooler == null ? null : new Head.Dense(pooler, Activation.TANH, null, 0),
                dropout(encoder, f),
                w.headLinear("classifier", spec.labels(), encoder.hiddenSize(), true, spec.seed()));
    }

    @Override
    Head masked(Encoder encoder, Fields f, Weights w) {
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
