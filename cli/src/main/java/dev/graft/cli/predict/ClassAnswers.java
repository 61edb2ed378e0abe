package dev.graft.cli.predict;

import dev.graft.cli.Interruption;
import dev.graft.eval.predict.Rewards;
import dev.graft.eval.run.Answers;
import dev.graft.eval.run.ZeroShot;
import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import dev.graft.train.data.Label;
import dev.graft.train.data.PictureSource;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** What a classifier, a dual encoder or a model of rewards says of rows. */
record ClassAnswers(Predicting model) {
    /** Probabilities shown to a person. */
    private static final int SHOWN = 3;

    /** @param needed what the classifier looks at: a text or a picture */
    void classify(Rows rows, int batchSize, String needed) {
        Base base = model.trained();
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            if (!(needed.equals("text") ? row instanceof Row.Text : row instanceof Row.Image)) {
                throw Shown.unfit(rows, i, "this classifier needs a " + needed);
            }
        }
        List<Answers.Answer> answers = new Answers(base, kind(base), batchSize).of(rows, model.hooks());
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            Answers.Answer answer = answers.get(i);
            model.say(() -> json(row, answer, false), () -> line(row, answer));
        }
    }

    /** Chooses among texts for each picture. */
    void compare(Rows rows, ZeroShot choice) {
        Hooks hooks = model.hooks();
        for (int i = 0; i < rows.size() && !Interruption.requested(); i++) {
            PictureSource picture = Shown.picture(rows, i);
            Row shown = new Row.Image(picture, null);
            Answers.Answer answer = choice.of(List.of(picture), hooks).get(0);
            model.say(() -> json(shown, answer, true), () -> line(shown, answer));
        }
    }

    /** How good answers are. */
    void reward(Rows rows, int batchSize) {
        Base base = model.trained();
        if (base.labels().size() != 1) {
            throw Shown.unfit(
                    rows, 0, base.name() + " has " + base.labels().size() + " classes; a reward has one output");
        }
        for (int i = 0; i < rows.size(); i++) {
            if (!isAnswered(rows.get(i))) {
                throw Shown.unfit(rows, i, "a reward is of an answer, and this one has none");
            }
        }
        List<Double> rewards = new Rewards(base, model.loading()::chat, batchSize).of(rows, model.hooks());
        for (int i = 0; i < rewards.size(); i++) {
            String prompt = Shown.of(rows.get(i));
            Double reward = rewards.get(i);
            model.say(
                    () -> JsonNodeFactory.instance
                            .objectNode()
                            .put("prompt", prompt)
                            .put("reward", reward),
                    () -> String.format(Locale.ROOT, "%.4g  %s", reward, prompt));
        }
    }

    private static boolean isAnswered(Row row) {
        if (row instanceof Row.Chat chat) {
            return Shown.question(chat).size() < chat.messages().size();
        }
        return row instanceof Row.Completion completion
                && !completion.completion().isBlank();
    }

    /** By the adapter's record; else one output is a number and several are classes. */
    private Label.Kind kind(Base base) {
        Label.Kind recorded = model.record().kind();
        if (recorded != null) {
            return recorded;
        }
        String declared = base.config().stringOrNull("problem_type");
        if ("multi_label_classification".equals(declared)) {
            return Label.Kind.MANY;
        }
        return "regression".equals(declared) || base.labels().size() == 1 ? Label.Kind.SCORE : Label.Kind.ONE;
    }

    /** @param choice whether one label is chosen, even where each is judged alone */
    private static ObjectNode json(Row row, Answers.Answer answer, boolean choice) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put(row instanceof Row.Image ? "image" : "text", Shown.of(row));
        if (row instanceof Row.Text text && text.pair() != null) {
            json.put("text_pair", text.pair());
        }
        Double value = answer.value();
        if (value != null) {
            return json.put("value", value);
        }
        // A row of several labels has several or none.
        boolean one = answer.labels().size() == 1 && (choice || sumsToOne(answer.probabilities()));
        if (one) {
            json.put("label", answer.labels().get(0));
        } else {
            ArrayNode labels = json.putArray("labels");
            answer.labels().forEach(labels::add);
        }
        ObjectNode probabilities = json.putObject("probabilities");
        answer.probabilities().forEach(probabilities::put);
        return json;
    }

    private static boolean sumsToOne(Map<String, Double> probabilities) {
        return Math.abs(probabilities.values().stream().mapToDouble(p -> p).sum() - 1) < 1e-6;
    }

    private static String line(Row row, Answers.Answer answer) {
        Double value = answer.value();
        if (value != null) {
            return String.format(Locale.ROOT, "%.4g  %s", value, Shown.of(row));
        }
        String labels = answer.labels().isEmpty() ? "-" : String.join(", ", answer.labels());
        String probabilities = answer.probabilities().entrySet().stream()
                .sorted(Map.Entry.<String, Double>comparingByValue().reversed())
                .limit(SHOWN)
                .map(entry -> String.format(Locale.ROOT, "%s %.3f", entry.getKey(), entry.getValue()))
                .collect(Collectors.joining(", "));
        return labels + "  (" + probabilities + ")  " + Shown.of(row);
    }
}
