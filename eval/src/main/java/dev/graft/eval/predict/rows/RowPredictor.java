package dev.graft.eval.predict.rows;

import dev.graft.train.data.Rows;
import java.util.function.Consumer;

/**
 * Predicts answers for rows, as {@code graft predict} prints them.
 *
 * <pre>{@code
 * RowPredictor predictor = new TaggingRowPredictor(model, options);
 * predictor.predict(rows, answer -> System.out.println(answer.text().get()));   // Ada/B-PER wrote/O it/O
 * }</pre>
 */
public interface RowPredictor {
    /**
     * Predicts answers and passes them to a consumer in the order of the rows, each as soon as it is known.
     *
     * @throws dev.graft.formats.InputException if a row lacks what the model needs, or the model isn't trained for the task
     */
    void predict(Rows rows, Consumer<RowAnswer> answers);
}
