package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.Weights;

/** A descendant of Llama: a {@link Decoder} in the shape that its config.json says. */
abstract class DecoderFamily extends CausalFamily {
    DecoderFamily(String modelType, String stem) {
        this(modelType, stem, "model.");
    }

    DecoderFamily(String modelType, String stem, String prefix) {
        super(modelType, stem, prefix);
    }

    /** The part of config.json that describes the decoder. */
    Fields text(Fields f) {
        return f;
    }

    /** Reads its fields, with the defaults of the family. */
    abstract Decoder.Config config(Fields f);

    /** What the head of the vocabulary is called. */
    String vocabulary() {
        return "lm_head";
    }

    /** Whether the head's weight is that of the embeddings where config.json doesn't say. */
    boolean tied() {
        return false;
    }

    /** Whether the class of transformers for answers has the backbone under another name than the others. */
    boolean answersAsTransformer() {
        return false;
    }

    @Override
    public String prefix(Task task) {
        return task == Task.QUESTION_ANS && answersAsTransformer() ? "transformer." : prefix();
    }

    @Override
    public Model build(Fields whole, Weights weights, HeadSpec spec) {
        Fields f = text(whole);
        Decoder decoder = new Decoder(config(f), weights, before(spec));
        boolean tied = f.bool("tie_word_embeddings", tied());
        return new Model(
                decoder,
                CausalHeads.of(
                        weights,
                        spec,
                        decoder.tokens(),
                        tied,
                        new CausalHeads.Names(vocabulary(), "score"),
                        CausalHeads.dropout(f)));
    }
}
