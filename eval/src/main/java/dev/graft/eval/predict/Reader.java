package dev.graft.eval.predict;

import dev.graft.eval.run.RunData;
import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import dev.graft.train.Predictor;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.QuestionEncoder;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.loss.Prediction;
import java.util.List;

/**
 * The answers that a model finds in texts.
 *
 * <pre>{@code
 * Reader reader = new Reader(base, false, 16);
 * reader.of(List.of(new Row.Question("Who?", "Ada wrote it.", null)), hooks).get(0).text();   // Ada
 * }</pre>
 *
 * @param base with the head for answers
 * @param mayBeNone whether a text may leave a question open
 */
public record Reader(Base base, boolean mayBeNone, int batchSize) {
    private static final int WINDOW = 512;

    /**
     * An answer.
     *
     * @param text as it stands in the context; {@code ""} where the text leaves the question open
     * @param probability of its first and last token
     * @param from where it begins in the context, in code points
     * @param to where it ends
     * @param best what it would be if the text couldn't leave the question open
     * @param none how probable it is that the text leaves it open, rather than that {@code best} answers
     */
    public record Answer(String text, double probability, int from, int to, String best, double none) {}

    /** The answers to questions, in their order; long texts are read in windows. */
    public List<Answer> of(List<Row.Question> questions, Hooks hooks) {
        Examples examples = Examples.encode(
                Rows.of("questions", questions),
                new QuestionEncoder(base.tokenizer(), RunData.STRIDE),
                Math.min(WINDOW, base.backbone().maxPositions()),
                Overflow.DROP);
        Answer[] answers = new Answer[questions.size()];
        new Predictor(base, examples, batchSize).predict(hooks, prediction -> {
            Prediction.Answer found = (Prediction.Answer) prediction;
            String text = found.text(mayBeNone);
            String best = found.text(false);
            double none = 1 / (1 + Math.exp(found.score() - found.none()));
            answers[found.row()] = text.isEmpty()
                    ? new Answer("", 0, 0, 0, best, none)
                    : new Answer(text, found.probability(), found.from(), found.to(), best, none);
        });
        return List.of(answers);
    }
}
