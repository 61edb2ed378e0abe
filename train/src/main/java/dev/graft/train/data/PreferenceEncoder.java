package dev.graft.train.data;

import java.util.List;

/**
 * Encodes pairs of answers, or judged answers, for preference objectives. {@link CausalEncoder} encodes each answer with its prompt, and
 * only the answer is labelled. The rejected answer of a pair is among the {@link Example#others} of the chosen one.
 */
public record PreferenceEncoder(CausalEncoder answers, TrainingObjective objective) implements RowEncoder {

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        if (row instanceof Row.Preference pair && !(objective instanceof TrainingObjective.Kto)) {
            return answers.encode(index, pair.chosen(), place, maxLength)
                    .withOthers(List.of(answers.encode(index, pair.rejected(), place, maxLength)));
        }
        if (row instanceof Row.Judged judged && objective instanceof TrainingObjective.Kto) {
            Example answer = answers.encode(index, judged.answer(), place, maxLength);
            Target.Tokens labels = (Target.Tokens) answer.target();
            return new Example(index, answer.ids(), null, new Target.Judged(labels.labels(), judged.isGood()));
        }
        throw objective instanceof TrainingObjective.Kto
                ? RowEncoder.unsupported(row, place, "KTO", RowShape.JUDGED)
                : RowEncoder.unsupported(row, place, "learning preferences", RowShape.PREFERENCE);
    }
}
