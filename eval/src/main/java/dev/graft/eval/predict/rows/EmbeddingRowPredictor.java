package dev.graft.eval.predict.rows;

import dev.graft.eval.predict.TextEmbedder;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.util.List;
import java.util.function.Consumer;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Computes the embedding of each text. */
public record EmbeddingRowPredictor(PredictionModel model, PredictionOptions options) implements RowPredictor {
    @Override
    public void predict(Rows rows, Consumer<RowAnswer> answers) {
        for (int i = 0; i < rows.size(); i++) {
            if (!(rows.get(i) instanceof Row.Text text) || text.pair() != null) {
                throw RowText.unsuitable(rows, i, "an embedding needs one text");
            }
        }
        List<float[]> vectors = new TextEmbedder(model.base(), options.batchSize()).embed(rows, model.hooks());
        for (int i = 0; i < vectors.size(); i++) {
            String text = ((Row.Text) rows.get(i)).text();
            float[] vector = vectors.get(i);
            answers.accept(new RowAnswer(() -> json(text, vector), () -> line(vector)));
        }
    }

    private static ObjectNode json(String text, float[] vector) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("text", text);
        ArrayNode values = json.putArray("embedding");
        for (float value : vector) {
            values.add(value);
        }
        return json;
    }

    private static String line(float[] vector) {
        StringBuilder line = new StringBuilder();
        for (float value : vector) {
            line.append(line.isEmpty() ? "" : " ").append(value);
        }
        return line.toString();
    }
}
