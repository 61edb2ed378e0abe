package dev.graft.train.data;

import dev.graft.formats.InputException;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.TextPair;
import dev.graft.models.tokenizers.Tokenizer;
import org.jspecify.annotations.Nullable;

/**
 * Encodes texts, pairs of texts or token ids with a label for a sequence classifier or a regression. The tokenizer adds its special tokens,
 * also to a text that is cut.
 */
public final class ClassificationEncoder implements RowEncoder {
    private final @Nullable Tokenizer tokenizer;
    private final Labels labels;
    private final int vocabSize;

    /**
     * @param tokenizer null if all rows are token ids
     * @param labels the classes, none for regression
     * @param vocabSize the number of embedding rows of the model
     */
    public ClassificationEncoder(@Nullable Tokenizer tokenizer, Labels labels, int vocabSize) {
        this.tokenizer = tokenizer;
        this.labels = labels;
        this.vocabSize = vocabSize;
    }

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        Label label = row.label();
        if (row instanceof Row.Text text && label != null && tokenizer != null) {
            EncodeOptions options = EncodeOptions.upTo(maxLength);
            Encoding encoding = text.pair() == null
                    ? tokenizer.encode(text.text(), options)
                    : tokenizer.encode(new TextPair(text.text(), text.pair()), options);
            return new Example(index, encoding.ids(), encoding.typeIds(), labels.target(label, place));
        }
        if (row instanceof Row.LabelledTokens tokens && label != null) {
            CausalEncoder.requireIds(tokens.ids(), vocabSize, place);
            if (tokens.ids().length > maxLength) {
                throw new InputException(place + ": input_ids has " + tokens.ids().length + " entries, more than "
                        + maxLength
                        + "; token ids to classify are not cut, since their end has a meaning: shorten them, or drop"
                        + " such rows");
            }
            return new Example(index, tokens.ids(), null, labels.target(label, place));
        }
        throw RowEncoder.unsupported(row, place, "classification", RowShape.CLASSIFICATION, RowShape.LABELLED_TOKENS);
    }
}
