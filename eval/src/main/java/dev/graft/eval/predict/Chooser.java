package dev.graft.eval.predict;

import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import dev.graft.train.Predictor;
import dev.graft.train.data.ChoiceEncoder;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.loss.Prediction;
import java.util.List;

/**
 * What a model chooses of several texts.
 *
 * @param base with the head for multiple choice
 */
public record Chooser(Base base, int batchSize) {

    /** The probabilities of each question's choices. Every question has as many. */
    public List<double[]> of(List<Row.Choice> questions, Hooks hooks) {
        List<Row.Choice> rows = questions.stream()
                .map(question -> new Row.Choice(question.stem(), question.choices(), 0))
                .toList();
        Examples examples = Examples.encode(
                Rows.of("choices", rows),
                new ChoiceEncoder(base.tokenizer(), rows.get(0).choices().size()),
                base.backbone().maxPositions(),
                Overflow.TRUNCATE);
        double[][] answers = new double[rows.size()][];
        new Predictor(base, examples, batchSize)
                .predict(
                        hooks,
                        prediction -> answers[prediction.row()] = ((Prediction.OneClass) prediction).probabilities());
        return List.of(answers);
    }
}
