package dev.graft.train.data;

import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.Tokenizer;
import java.util.ArrayList;
import java.util.List;

/**
 * Encodes texts for an embedding model. A pair, a triplet or a scored pair is one example with the other texts as its
 * {@link Example#others}; a single text is an example of its own.
 *
 * @param objective the embedding loss
 */
public record EmbeddingEncoder(Tokenizer tokenizer, TrainingObjective objective) implements RowEncoder {

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        if (row instanceof Row.TextPair pair) {
            return pair.negative() == null
                    ? example(index, maxLength, new Target.Match(), pair.anchor(), pair.positive())
                    : example(index, maxLength, new Target.Match(), pair.anchor(), pair.positive(), pair.negative());
        }
        if (row instanceof Row.ScoredPair pair) {
            return example(index, maxLength, new Target.Score((float) pair.score()), pair.text(), pair.pair());
        }
        if (row instanceof Row.Text text && text.pair() == null) {
            return example(index, maxLength, new Target.Match(), text.text());
        }
        throw RowEncoder.unsupported(row, place, "an embedding", RowShape.TEXT_PAIR, RowShape.SCORED_PAIR);
    }

    private Example example(int index, int maxLength, Target target, String... texts) {
        EncodeOptions options = EncodeOptions.upTo(maxLength);
        List<Example> examples = new ArrayList<>();
        for (String text : texts) {
            Encoding encoding = tokenizer.encode(text, options);
            examples.add(new Example(index, encoding.ids(), encoding.typeIds(), target));
        }
        return examples.get(0).withOthers(examples.subList(1, examples.size()));
    }
}
