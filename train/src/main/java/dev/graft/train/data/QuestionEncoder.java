package dev.graft.train.data;

import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.Side;
import dev.graft.models.tokenizers.TextPair;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Truncation;
import java.util.ArrayList;
import java.util.List;

/**
 * Questions with the text that answers them, for extractive question answering. A text that is too long is read in windows that overlap; the
 * target of a window that doesn't hold the whole answer is its first token, as that of a question without an answer.
 *
 * <pre>{@code
 * RowEncoder encoder = new QuestionEncoder(base.tokenizer(), 128);
 * }</pre>
 *
 * @param stride tokens that a window shares with the one before it, at most a quarter of a window
 */
public record QuestionEncoder(Tokenizer tokenizer, int stride) implements RowEncoder {

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        return windows(index, row, place, maxLength).get(0);
    }

    @Override
    public List<Example> windows(int index, Row row, String place, int maxLength) {
        if (!(row instanceof Row.Question question)) {
            throw RowEncoder.unfit(row, place, "answering questions", RowShape.QUESTION);
        }
        int shared = Math.min(stride, maxLength / 4);
        Truncation truncation = new Truncation(maxLength, Truncation.Strategy.ONLY_SECOND, Side.RIGHT, shared);
        TextPair pair = new TextPair(question.question(), question.context());
        List<Encoding> encodings = maxLength == Integer.MAX_VALUE
                ? List.of(tokenizer.encode(pair, EncodeOptions.DEFAULT))
                : tokenizer.windows(pair, EncodeOptions.DEFAULT.truncate(truncation));
        List<Example> windows = new ArrayList<>();
        for (Encoding window : encodings) {
            windows.add(new Example(index, window.ids(), window.typeIds(), span(passage(question, window))));
        }
        return windows;
    }

    private static Passage passage(Row.Question question, Encoding window) {
        int[] from = new int[window.length()];
        int[] to = new int[window.length()];
        for (int i = 0; i < from.length; i++) {
            boolean own = window.sequenceIds()[i] == 1 && window.ends()[i] > window.starts()[i];
            from[i] = own ? window.starts()[i] : -1;
            to[i] = own ? window.ends()[i] : -1;
        }
        return new Passage(question, from, to);
    }

    private static Target.Span span(Passage passage) {
        List<Row.Answer> answers = passage.row().answers();
        if (answers == null || answers.isEmpty()) {
            return new Target.Span(0, 0, passage);
        }
        Row.Answer answer = answers.get(0);
        int start = passage.row().context().codePointCount(0, answer.start());
        int end = start + answer.text().codePointCount(0, answer.text().length());
        int first = -1;
        int last = -1;
        for (int i = 0; i < passage.from().length; i++) {
            if (passage.from()[i] >= 0 && passage.from()[i] < end && passage.to()[i] > start) {
                first = first < 0 ? i : first;
                last = i;
            }
        }
        boolean whole = first >= 0 && passage.from()[first] <= start && passage.to()[last] >= end;
        return whole ? new Target.Span(first, last, passage) : new Target.Span(0, 0, passage);
    }
}
