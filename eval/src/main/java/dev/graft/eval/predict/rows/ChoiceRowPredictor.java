package dev.graft.eval.predict.rows;

import dev.graft.eval.predict.MultipleChoicePredictor;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.Rows;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Predicts the right choice of each multiple-choice row. */
public record ChoiceRowPredictor(PredictionModel model, PredictionOptions options) implements RowPredictor {
    @Override
    public void predict(Rows rows, Consumer<RowAnswer> answers) {
        List<Row.Choice> questions = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            if (!(rows.get(i) instanceof Row.Choice question)) {
                throw RowText.unsuitable(rows, i, "choosing needs rows such as " + RowShape.UNSOLVED.sample());
            }
            questions.add(question);
        }
        List<double[]> chosen =
                new MultipleChoicePredictor(model.trainedBase(), options.batchSize()).choose(questions, model.hooks());
        for (int i = 0; i < chosen.size(); i++) {
            answers.accept(answer(questions.get(i), chosen.get(i)));
        }
    }

    private static RowAnswer answer(Row.Choice question, double[] probabilities) {
        int best = best(probabilities);
        return new RowAnswer(() -> json(question, best, probabilities), () -> line(question, best, probabilities));
    }

    private static int best(double[] probabilities) {
        int best = 0;
        for (int i = 1; i < probabilities.length; i++) {
            best = probabilities[i] > probabilities[best] ? i : best;
        }
        return best;
    }

    private static ObjectNode json(Row.Choice question, int best, double[] probabilities) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("stem", question.stem());
        json.put("choice", best);
        json.put("text", question.choices().get(best));
        ArrayNode all = json.putArray("probabilities");
        Arrays.stream(probabilities).forEach(all::add);
        return json;
    }

    private static String line(Row.Choice question, int best, double[] probabilities) {
        return String.format(
                Locale.ROOT,
                "%s%n  %d (%.3f)  %s",
                question.stem(),
                best,
                probabilities[best],
                question.choices().get(best));
    }
}
