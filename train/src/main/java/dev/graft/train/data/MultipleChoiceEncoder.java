package dev.graft.train.data;

import dev.graft.formats.InputException;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.TextPair;
import dev.graft.models.tokenizers.Tokenizer;
import java.util.ArrayList;
import java.util.List;

/**
 * Encodes a text with several possible continuations, for multiple choice: a pair of texts for each choice, in consecutive rows of a batch.
 *
 * @param choices the number of choices of every row
 */
public record MultipleChoiceEncoder(Tokenizer tokenizer, int choices) implements RowEncoder {

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        if (!(row instanceof Row.Choice choice) || choice.correct() == null) {
            throw RowEncoder.unsupported(row, place, "choosing", RowShape.CHOICE);
        }
        if (choice.choices().size() != choices) {
            throw new InputException(place + ": the row has " + choice.choices().size() + " choices, the first row has "
                    + choices + "; all rows need as many, since they are compared side by side");
        }
        EncodeOptions options = EncodeOptions.upTo(maxLength);
        List<Example> pairs = new ArrayList<>();
        for (String text : choice.choices()) {
            Encoding pair = tokenizer.encode(new TextPair(choice.stem(), text), options);
            pairs.add(new Example(index, pair.ids(), pair.typeIds(), new Target.ClassId(choice.correct())));
        }
        return pairs.get(0).withOthers(pairs.subList(1, pairs.size()));
    }
}
