package dev.graft.eval.predict.rows;

import dev.graft.eval.predict.LabelPredictor.LabelPrediction;
import dev.graft.train.data.Row;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The forms of a label's prediction. */
final class LabelText {
    /** Probabilities shown to a person. */
    private static final int SHOWN = 3;

    private LabelText() {}

    /** @param choice true if one label is chosen, even where each is judged alone */
    static RowAnswer answer(Row row, LabelPrediction prediction, boolean choice) {
        return new RowAnswer(() -> json(row, prediction, choice), () -> line(row, prediction));
    }

    private static ObjectNode json(Row row, LabelPrediction prediction, boolean choice) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put(row instanceof Row.Image ? "image" : "text", RowText.of(row));
        if (row instanceof Row.Text text && text.pair() != null) {
            json.put("text_pair", text.pair());
        }
        Double value = prediction.value();
        if (value != null) {
            return json.put("value", value);
        }
        // A row of several labels has several or none.
        boolean one = prediction.labels().size() == 1 && (choice || sumsToOne(prediction.probabilities()));
        if (one) {
            json.put("label", prediction.labels().get(0));
        } else {
            ArrayNode labels = json.putArray("labels");
            prediction.labels().forEach(labels::add);
        }
        ObjectNode probabilities = json.putObject("probabilities");
        prediction.probabilities().forEach(probabilities::put);
        return json;
    }

    private static boolean sumsToOne(Map<String, Double> probabilities) {
        return Math.abs(probabilities.values().stream().mapToDouble(p -> p).sum() - 1) < 1e-6;
    }

    private static String line(Row row, LabelPrediction prediction) {
        Double value = prediction.value();
        if (value != null) {
            return String.format(Locale.ROOT, "%.4g  %s", value, RowText.of(row));
        }
        String labels = prediction.labels().isEmpty() ? "-" : String.join(", ", prediction.labels());
        String probabilities = prediction.probabilities().entrySet().stream()
                .sorted(Map.Entry.<String, Double>comparingByValue().reversed())
                .limit(SHOWN)
                .map(entry -> String.format(Locale.ROOT, "%s %.3f", entry.getKey(), entry.getValue()))
                .collect(Collectors.joining(", "));
        return labels + "  (" + probabilities + ")  " + RowText.of(row);
    }
}
