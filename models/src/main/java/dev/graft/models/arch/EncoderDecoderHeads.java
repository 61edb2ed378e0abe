package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Architecture;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.Head;
import dev.graft.models.weights.Weights;

/** The common heads of encoder-decoders, except that of the vocabulary; the decoder reads the text itself. */
final class EncoderDecoderHeads {
    private EncoderDecoderHeads() {}

    /** A class for a text, read at the position of its end token. */
    static Head sequence(Fields f, Weights w, Architecture.HeadSpec spec, long width) {
        double dropout = dropout(f);
        return new Head.PerSequence(
                Head.Pooling.LAST,
                new Head.Dense(
                        w.headLinear("classification_head.dense", width, width, true, spec.seed()),
                        Activation.TANH,
                        null,
                        dropout),
                dropout,
                w.headLinear("classification_head.out_proj", spec.labels(), width, true, spec.seed()));
    }

    /** A class for each token. */
    static Head tokens(Fields f, Weights w, Architecture.HeadSpec spec, long width) {
        return new Head.PerToken(null, dropout(f), w.headLinear("classifier", spec.labels(), width, true, spec.seed()));
    }

    /** The start and the end of an answer. */
    static Head answers(Weights w, Architecture.HeadSpec spec, long width) {
        return new Head.PerToken(w.headLinear("qa_outputs", 2, width, true, spec.seed()));
    }

    private static double dropout(Fields f) {
        return f.number("classifier_dropout", 0, 0, 1);
    }
}
