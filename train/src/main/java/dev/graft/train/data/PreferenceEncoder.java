package dev.graft.train.data;

import java.util.List;

/**
 * Pairs of answers, or judged answers, as examples: what {@link CausalEncoder} makes of each answer with its prompt, the answer alone being
 * labelled. The rejected answer of a pair is an example beside the chosen one.
 */
public record PreferenceEncoder(CausalEncoder answers, Goal goal) implements RowEncoder {

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        if (row instanceof Row.Preference pair && !(goal instanceof Goal.Kto)) {
            return answers.encode(index, pair.chosen(), place, maxLength)
                    .with(List.of(answers.encode(index, pair.rejected(), place, maxLength)));
        }
        if (row instanceof Row.Judged judged && goal instanceof Goal.Kto) {
            Example answer = answers.encode(index, judged.answer(), place, maxLength);
            Target.Tokens labels = (Target.Tokens) answer.target();
            return new Example(index, answer.ids(), null, new Target.Judged(labels.labels(), judged.isGood()));
        }
        throw goal instanceof Goal.Kto
                ? RowEncoder.unfit(row, place, "KTO", RowShape.JUDGED)
                : RowEncoder.unfit(row, place, "learning preferences", RowShape.PREFERENCE);
    }
}
