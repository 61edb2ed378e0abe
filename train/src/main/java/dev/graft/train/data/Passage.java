package dev.graft.train.data;

import java.util.List;

/**
 * The part of a question's context in one window, with the place of each token.
 *
 * @param row the whole row
 * @param from the start of each token in the context, in code points; -1 for tokens outside it
 * @param to the end of each token
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract: examples are shared, not copied
public record Passage(Row.Question row, int[] from, int[] to) {

    /** Returns the text of the context between two code points. */
    public String text(int start, int end) {
        String context = row.context();
        int first = context.offsetByCodePoints(0, start);
        return context.substring(first, context.offsetByCodePoints(first, end - start));
    }

    /** Returns the reference answers; {@code ""} if the context has no answer. */
    public List<String> references() {
        List<Row.Answer> answers = row.answers();
        return answers == null || answers.isEmpty()
                ? List.of("")
                : answers.stream().map(Row.Answer::text).toList();
    }
}
