package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.Weights;

/** A descendant of Llama: a {@link Decoder} in the shape that its config.json says. */
abstract class DecoderFamily extends CausalFamily {
    DecoderFamily(String modelType, String stem) {
        super(modelType, stem, "model.");
    }

    /** Reads its fields, with the defaults of the family. */
    abstract Decoder.Config config(Fields f);

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
    public Model build(Fields f, Weights weights, HeadSpec spec) {
        Decoder decoder = new Decoder(config(f), weights, before(spec));
        boolean tied = f.bool("tie_word_embeddings", tied());
        return new Model(
                decoder, CausalHeads.of(weights, spec, decoder.tokens(), tied, "score", CausalHeads.dropout(f)));
    }
}
