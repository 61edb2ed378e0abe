package dev.graft.eval.predict.rows;

import dev.graft.eval.predict.QuestionAnswerer;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.Rows;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import tools.jackson.databind.node.JsonNodeFactory;

/** Finds the answer to each question in its text. */
public record QuestionRowPredictor(PredictionModel model, PredictionOptions options) implements RowPredictor {
    @Override
    public void predict(Rows rows, Consumer<RowAnswer> answers) {
        List<Row.Question> questions = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            if (!(rows.get(i) instanceof Row.Question question)) {
                throw RowText.unsuitable(
                        rows, i, "a question and its text are needed, such as " + RowShape.UNANSWERED.sample());
            }
            questions.add(question);
        }
        boolean mayBeNone = model.hasUnanswerable();
        List<QuestionAnswerer.Answer> found = new QuestionAnswerer(model.trainedBase(), mayBeNone, options.batchSize())
                .answer(questions, model.hooks());
        for (int i = 0; i < found.size(); i++) {
            answers.accept(answer(questions.get(i).question(), found.get(i)));
        }
    }

    private static RowAnswer answer(String question, QuestionAnswerer.Answer answer) {
        return new RowAnswer(
                () -> JsonNodeFactory.instance
                        .objectNode()
                        .put("question", question)
                        .put("answer", answer.text())
                        .put("probability", answer.probability())
                        .put("from", answer.from())
                        .put("to", answer.to()),
                () -> question + "\n  " + (answer.text().isEmpty() ? "(no answer)" : answer.text()));
    }
}
