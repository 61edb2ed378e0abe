package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.weights.Weights;

/** A descendant of Llama: a {@link LlamaDecoder} in the shape of its config.json. */
abstract class LlamaFamily extends CausalFamily {
    LlamaFamily(String modelType, String stem) {
        this(modelType, stem, "model.");
    }

    LlamaFamily(String modelType, String stem, String prefix) {
        super(modelType, stem, prefix);
    }

    /** The part of config.json that describes the decoder. */
    Fields text(Fields f) {
        return f;
    }

    /** Reads its fields, with the defaults of the family. */
    abstract LlamaConfig config(Fields f);

    /** Returns the name of the vocabulary head. */
    String vocabulary() {
        return "lm_head";
    }

    /** Returns whether the head shares the embeddings' weight by default, without a field in config.json. */
    boolean tied() {
        return false;
    }

    /**
     * Returns whether the class of transformers for answers has another name for the backbone than its other classes.
     */
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
        LlamaDecoder decoder = new LlamaDecoder(config(f), weights, before(spec));
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
