package dev.graft.cli.predict;

import dev.graft.eval.metrics.spans.Span;
import dev.graft.eval.predict.Chooser;
import dev.graft.eval.predict.Filler;
import dev.graft.eval.predict.Reader;
import dev.graft.eval.predict.Tagger;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.Rows;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** What a model says of parts of a text: tags of words, a span, a choice, masked tokens. */
record TextAnswers(Predicting model) {
    /** Tokens named for each mask. */
    private static final int GUESSES = 5;

    /** Tags words. */
    void tag(Rows rows, int batchSize) {
        List<List<String>> texts = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            if (row instanceof Row.Text text) {
                texts.add(List.of(text.text().strip().split("\\s+")));
            } else if (row instanceof Row.Words words) {
                texts.add(words.words());
            } else {
                throw Shown.unfit(rows, i, "tagging needs words or a text");
            }
        }
        List<Tagger.Text> tagged = new Tagger(model.trained(), batchSize).of(texts, model.hooks());
        for (Tagger.Text text : tagged) {
            model.say(() -> json(text), () -> line(text));
        }
    }

    private static String line(Tagger.Text text) {
        return text.words().stream()
                .map(word -> word.word() + "/" + (word.tag() == null ? "?" : word.tag()))
                .collect(Collectors.joining(" "));
    }

    private static ObjectNode json(Tagger.Text text) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        ArrayNode words = json.putArray("tokens");
        ArrayNode tags = json.putArray("tags");
        ArrayNode probabilities = json.putArray("probabilities");
        for (Tagger.Word word : text.words()) {
            words.add(word.word());
            tags.add(word.tag());
            probabilities.add(word.probability());
        }
        ArrayNode entities = json.putArray("entities");
        for (Span span : text.spans()) {
            String spoken = text.words().subList(span.from(), span.to()).stream()
                    .map(Tagger.Word::word)
                    .collect(Collectors.joining(" "));
            entities.addObject()
                    .put("type", span.type())
                    .put("text", spoken)
                    .put("from", span.from())
                    .put("to", span.to());
        }
        return json;
    }

    /** Finds answers in texts. */
    void answer(Rows rows, int batchSize) {
        List<Row.Question> questions = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            if (!(rows.get(i) instanceof Row.Question question)) {
                throw Shown.unfit(
                        rows, i, "a question and its text are needed, such as " + RowShape.UNANSWERED.sample());
            }
            questions.add(question);
        }
        boolean mayBeNone = model.record().leavesOpen();
        List<Reader.Answer> answers = new Reader(model.trained(), mayBeNone, batchSize).of(questions, model.hooks());
        for (int i = 0; i < answers.size(); i++) {
            String question = questions.get(i).question();
            Reader.Answer answer = answers.get(i);
            model.say(
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

    /** Chooses among answers. */
    void choose(Rows rows, int batchSize) {
        List<Row.Choice> questions = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            if (!(rows.get(i) instanceof Row.Choice question)) {
                throw Shown.unfit(rows, i, "choosing needs rows such as " + RowShape.UNSOLVED.sample());
            }
            questions.add(question);
        }
        List<double[]> answers = new Chooser(model.trained(), batchSize).of(questions, model.hooks());
        for (int i = 0; i < answers.size(); i++) {
            Row.Choice question = questions.get(i);
            double[] probabilities = answers.get(i);
            int best = best(probabilities);
            model.say(() -> json(question, best, probabilities), () -> line(question, best, probabilities));
        }
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

    /** Guesses masked tokens. */
    void fill(Rows rows) {
        Filler filler = new Filler(model.trained(), GUESSES);
        for (int i = 0; i < rows.size(); i++) {
            if (!(rows.get(i) instanceof Row.Text row)) {
                throw Shown.unfit(rows, i, "filling masks needs a text");
            }
            List<List<Filler.Guess>> masks = filler.of(row.text(), model.hooks());
            model.say(() -> json(row.text(), masks), () -> lines(row.text(), masks));
        }
    }

    private static ObjectNode json(String text, List<List<Filler.Guess>> masks) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("text", text);
        ArrayNode all = json.putArray("masks");
        for (List<Filler.Guess> mask : masks) {
            ArrayNode guesses = all.addArray();
            mask.forEach(
                    guess -> guesses.addObject().put("token", guess.token()).put("probability", guess.probability()));
        }
        return json;
    }

    private static String lines(String text, List<List<Filler.Guess>> masks) {
        StringBuilder lines = new StringBuilder(text);
        for (List<Filler.Guess> mask : masks) {
            lines.append(System.lineSeparator())
                    .append("  ")
                    .append(mask.stream()
                            .map(guess -> String.format(Locale.ROOT, "%s %.3f", guess.token(), guess.probability()))
                            .collect(Collectors.joining(", ")));
        }
        return lines.toString();
    }
}
