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
 * Encodes questions with their contexts for extractive question answering. A long context is read in overlapping windows. The target of a
 * window without the whole answer is its first token, as for a question without an answer.
 *
 * <pre>{@code
 * RowEncoder encoder = new QuestionAnsweringEncoder(base.tokenizer(), 128);
 * }</pre>
 *
 * @param stride the tokens that a window shares with the one before it, at most a quarter of a window
 */
public record QuestionAnsweringEncoder(Tokenizer tokenizer, int stride) implements RowEncoder {
    /** The usual overlap for SQuAD, in tokens. */
    public static final int STRIDE = 128;

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        return windows(index, row, place, maxLength).get(0);
    }

    @Override
    public List<Example> windows(int index, Row row, String place, int maxLength) {
        if (!(row instanceof Row.Question question)) {
            throw RowEncoder.unsupported(row, place, "answering questions", RowShape.QUESTION);
        }
        int shared = Math.min(stride, maxLength / 4);
        Truncation truncation = new Truncation(maxLength, Truncation.Strategy.ONLY_SECOND, Side.RIGHT, shared);
        TextPair pair = new TextPair(question.question(), question.context());
        List<Encoding> encodings = maxLength == Integer.MAX_VALUE
                ? List.of(tokenizer.encode(pair, EncodeOptions.DEFAULT))
                : tokenizer.windows(pair, EncodeOptions.DEFAULT.withTruncation(truncation));
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
