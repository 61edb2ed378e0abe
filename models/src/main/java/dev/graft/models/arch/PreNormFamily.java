package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.weights.Weights;

/** A relative of GPT-J and GPT-NeoX: a {@link PreNormDecoder} in the shape of its config.json. */
abstract class PreNormFamily extends CausalFamily {
    PreNormFamily(String modelType, String stem, String prefix) {
        super(modelType, stem, prefix);
    }

    /** Reads its fields, with the defaults of the family. */
    abstract PreNormDecoder.Config config(Fields f);

    /** Returns whether the vocabulary head shares the embeddings' weight by default, without a field in config.json. */
    boolean tied() {
        return false;
    }

    /** Returns whether the vocabulary head has a bias. */
    boolean biased() {
        return false;
    }

    /** Returns the name of the token classifier. */
    String tokenClassifier() {
        return "score";
    }

    /** Returns the dropout before the token classifier. */
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
