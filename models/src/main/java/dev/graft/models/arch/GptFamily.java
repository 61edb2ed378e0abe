package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.models.Backbone;
import dev.graft.models.weights.Weights;

/**
 * A descendant of GPT-2: a {@link GptDecoder} in the shape of its config.json, with a head that shares the embeddings'
 * weight.
 */
abstract class GptFamily extends CausalFamily {
    GptFamily(String modelType, String stem) {
        super(modelType, stem, "transformer.");
    }

    /** Reads its fields, with the defaults of the family. */
    abstract GptDecoder.Config config(Fields f);

    /** Returns the dropout before the token classifier. */
    double classifierDropout(Fields f) {
        return CausalHeads.dropout(f);
    }

    @Override
    public Model build(Fields f, Weights weights, HeadSpec spec) {
        if (f.bool("add_cross_attention", false)) {
            throw new FormatException(
                    f.source(), "add_cross_attention is true: only decoders alone are supported", null);
        }
        GptDecoder decoder = new GptDecoder(config(f), weights, before(spec));
        boolean tied = f.bool("tie_word_embeddings", true);
        return new Model(
                decoder,
                CausalHeads.of(
                        weights,
                        spec,
                        decoder.tokens(),
                        tied,
                        CausalHeads.Names.of("classifier"),
                        classifierDropout(f)));
    }

    /** Reads the sizes; the number of heads must divide the size of a hidden state. */
    static Backbone.Size size(
            Fields f, int vocab, int hidden, String headsField, int heads, int layers, int positions) {
        if (heads < 1 || hidden % heads != 0) {
            throw f.invalid(headsField, "a divisor of the size of a hidden state, " + hidden);
        }
        return new Backbone.Size(vocab, hidden, layers, heads, positions);
    }

    /** Reads the inner size; the default is four times that of hidden states. */
    static int intermediate(Fields f, String field, Backbone.Size size) {
        Integer given = f.integerOrNull(field);
        return given == null ? 4 * size.hidden() : given;
    }
}
