package dev.graft.eval.predict.rows;

import dev.graft.eval.predict.RewardScorer;
import dev.graft.models.Base;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import tools.jackson.databind.node.JsonNodeFactory;

/** Predicts the reward of the answer in each row. */
public record RewardRowPredictor(PredictionModel model, PredictionOptions options) implements RowPredictor {
    @Override
    public void predict(Rows rows, Consumer<RowAnswer> answers) {
        Base base = model.trainedBase();
        if (base.labels().size() != 1) {
            throw RowText.unsuitable(
                    rows, 0, base.name() + " has " + base.labels().size() + " classes; a reward has one output");
        }
        for (int i = 0; i < rows.size(); i++) {
            if (!isAnswered(rows.get(i))) {
                throw RowText.unsuitable(rows, i, "a reward is of an answer, and this one has none");
            }
        }
        List<Double> rewards = new RewardScorer(base, model::chat, options.batchSize()).score(rows, model.hooks());
        for (int i = 0; i < rewards.size(); i++) {
            answers.accept(answer(RowText.of(rows.get(i)), rewards.get(i)));
        }
    }

    private static RowAnswer answer(String prompt, Double reward) {
        return new RowAnswer(
                () -> JsonNodeFactory.instance
                        .objectNode()
                        .put("prompt", prompt)
                        .put("reward", reward),
                () -> String.format(Locale.ROOT, "%.4g  %s", reward, prompt));
    }

    private static boolean isAnswered(Row row) {
        if (row instanceof Row.Chat chat) {
            return RowText.question(chat).size() < chat.messages().size();
        }
        return row instanceof Row.Completion completion
                && !completion.completion().isBlank();
    }
}
