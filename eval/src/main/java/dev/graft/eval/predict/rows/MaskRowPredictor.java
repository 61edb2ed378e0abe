package dev.graft.eval.predict.rows;

import dev.graft.eval.predict.MaskFiller;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Predicts the masked tokens of each text. */
public record MaskRowPredictor(PredictionModel model) implements RowPredictor {
    /** Tokens named for each mask. */
    private static final int GUESSES = 5;

    @Override
    public void predict(Rows rows, Consumer<RowAnswer> answers) {
        MaskFiller filler = new MaskFiller(model.trainedBase(), GUESSES);
        for (int i = 0; i < rows.size(); i++) {
            if (!(rows.get(i) instanceof Row.Text row)) {
                throw RowText.unsuitable(rows, i, "filling masks needs a text");
            }
            List<List<MaskFiller.FilledToken>> masks = filler.fill(row.text(), model.hooks());
            answers.accept(new RowAnswer(() -> json(row.text(), masks), () -> lines(row.text(), masks)));
        }
    }

    private static ObjectNode json(String text, List<List<MaskFiller.FilledToken>> masks) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("text", text);
        ArrayNode all = json.putArray("masks");
        for (List<MaskFiller.FilledToken> mask : masks) {
            ArrayNode guesses = all.addArray();
            mask.forEach(
                    guess -> guesses.addObject().put("token", guess.token()).put("probability", guess.probability()));
        }
        return json;
    }

    private static String lines(String text, List<List<MaskFiller.FilledToken>> masks) {
        StringBuilder lines = new StringBuilder(text);
        for (List<MaskFiller.FilledToken> mask : masks) {
            lines.append(System.lineSeparator())
                    .append("  ")
                    .append(mask.stream()
                            .map(guess -> String.format(Locale.ROOT, "%s %.3f", guess.token(), guess.probability()))
                            .collect(Collectors.joining(", ")));
        }
        return lines.toString();
    }
}
