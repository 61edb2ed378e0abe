package dev.graft.eval.predict.rows;

import dev.graft.eval.metrics.spans.Span;
import dev.graft.eval.predict.Tagger;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Tags the words of each text. */
public record TaggingRowPredictor(PredictionModel model, PredictionOptions options) implements RowPredictor {
    @Override
    public void predict(Rows rows, Consumer<RowAnswer> answers) {
        List<List<String>> texts = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            if (row instanceof Row.Text text) {
                texts.add(List.of(text.text().strip().split("\\s+")));
            } else if (row instanceof Row.Words words) {
                texts.add(words.words());
            } else {
                throw RowText.unsuitable(rows, i, "tagging needs words or a text");
            }
        }
        new Tagger(model.trainedBase(), options.batchSize())
                .tag(texts, model.hooks())
                .forEach(text -> answers.accept(new RowAnswer(() -> json(text), () -> line(text))));
    }

    private static String line(Tagger.TaggedText text) {
        return text.words().stream()
                .map(word -> word.word() + "/" + (word.tag() == null ? "?" : word.tag()))
                .collect(Collectors.joining(" "));
    }

    private static ObjectNode json(Tagger.TaggedText text) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        ArrayNode words = json.putArray("tokens");
        ArrayNode tags = json.putArray("tags");
        ArrayNode probabilities = json.putArray("probabilities");
        for (Tagger.TaggedWord word : text.words()) {
            words.add(word.word());
            tags.add(word.tag());
            probabilities.add(word.probability());
        }
        ArrayNode entities = json.putArray("entities");
        for (Span span : text.spans()) {
            String spoken = text.words().subList(span.from(), span.to()).stream()
                    .map(Tagger.TaggedWord::word)
                    .collect(Collectors.joining(" "));
            entities.addObject()
                    .put("type", span.type())
                    .put("text", spoken)
                    .put("from", span.from())
                    .put("to", span.to());
        }
        return json;
    }
}
