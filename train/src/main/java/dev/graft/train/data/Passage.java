package dev.graft.train.data;

import java.util.List;

/**
 * What a window shows of the text that a question is on.
 *
 * @param row the whole row
 * @param from where each token begins in the context, in code points; -1 for tokens that aren't of it
 * @param to where it ends
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract: examples are shared, not copied
public record Passage(Row.Question row, int[] from, int[] to) {

    /** The text of the context between two code points. */
    public String text(int start, int end) {
        String context = row.context();
        int first = context.offsetByCodePoints(0, start);
        return context.substring(first, context.offsetByCodePoints(first, end - start));
    }

    /** The answers to compare with, {@code ""} where the text gives none. */
    public List<String> references() {
        List<Row.Answer> answers = row.answers();
        return answers == null || answers.isEmpty()
                ? List.of("")
                : answers.stream().map(Row.Answer::text).toList();
    }
}
