package dev.graft.eval.predict;

import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import dev.graft.train.Predictor;
import dev.graft.train.data.Examples;
import dev.graft.train.data.MultipleChoiceEncoder;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.loss.Prediction;
import java.util.List;

/**
 * Chooses one of several continuations or answers of a text.
 *
 * @param base a base with a multiple choice head
 * @param batchSize the number of questions in a forward pass
 */
public record MultipleChoicePredictor(Base base, int batchSize) {

    /**
     * Returns the probabilities {@code [choices]} of each question's choices. All questions must have the same number of choices.
     */
    public List<double[]> choose(List<Row.Choice> questions, Hooks hooks) {
        List<Row.Choice> rows = questions.stream()
                .map(question -> new Row.Choice(question.stem(), question.choices(), 0))
                .toList();
        Examples examples = Examples.encode(
                Rows.of("choices", rows),
                new MultipleChoiceEncoder(
                        base.tokenizer(), rows.get(0).choices().size()),
                base.backbone().maxPositions(),
                Overflow.TRUNCATE);
        double[][] answers = new double[rows.size()][];
        new Predictor(base, examples, batchSize)
                .predict(
                        hooks,
                        prediction ->
                                answers[prediction.row()] = ((Prediction.SingleLabel) prediction).probabilities());
        return List.of(answers);
    }
}
