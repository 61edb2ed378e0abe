package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Weights;

/** A relative of GPT-J and GPT-NeoX: a {@link PreNormDecoder} in the shape that its config.json says. */
abstract class PreNormFamily extends CausalFamily {
    PreNormFamily(String modelType, String stem, String prefix) {
        super(modelType, stem, prefix);
    }

    /** Reads its fields, with the defaults of the family. */
    abstract PreNormDecoder.Config config(Fields f);

    /** Whether the vocabulary head's weight is that of the embeddings where config.json doesn't say. */
    boolean tied() {
        return false;
    }

    /** Whether the vocabulary head has a bias. */
    boolean biased() {
        return false;
    }

    /** What the family calls the classifier of tokens. */
    String tokenClassifier() {
        return "score";
    }

    /** Before the classifier of tokens. */
    double dropout(Fields f) {
        return CausalHeads.dropout(f);
    }

    @Override
    public Model build(Fields f, Weights w, HeadSpec spec) {
        PreNormDecoder decoder = new PreNormDecoder(config(f), w, before(spec));
        boolean tied = f.bool("tie_word_embeddings", tied());
        return new Model(
                decoder,
                CausalHeads.of(
                        w,
                        spec,
                        decoder.tokens(),
                        tied,
                        biased(),
                        CausalHeads.Names.of(tokenClassifier()),
                        dropout(f)));
    }
}
