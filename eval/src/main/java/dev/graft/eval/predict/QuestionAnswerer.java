package dev.graft.eval.predict;

import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import dev.graft.train.Predictor;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.QuestionAnsweringEncoder;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.loss.Prediction;
import java.util.List;

/**
 * Extractive question answering: finds the answer spans to questions in their contexts.
 *
 * <pre>{@code
 * QuestionAnswerer answerer = new QuestionAnswerer(base, false, 16);
 * answerer.answer(List.of(new Row.Question("Who?", "Ada wrote it.", null)), hooks).get(0).text();   // Ada
 * }</pre>
 *
 * @param base a base with a question answering head
 * @param allowsNoAnswer true if a context may have no answer
 * @param batchSize the number of windows in a forward pass
 */
public record QuestionAnswerer(Base base, boolean allowsNoAnswer, int batchSize) {
    private static final int WINDOW = 512;

    /**
     * The answer to a question.
     *
     * @param text the span of the context; {@code ""} for no answer
     * @param probability the probability of its first and last token
     * @param from the start in the context, in code points
     * @param to the end in the context
     * @param best the best span, also if no answer is more probable
     * @param none the probability of no answer against that of {@code best}
     */
    public record Answer(String text, double probability, int from, int to, String best, double none) {}

    /** Answers questions, in their order; long contexts are read in windows. */
    public List<Answer> answer(List<Row.Question> questions, Hooks hooks) {
        Examples examples = Examples.encode(
                Rows.of("questions", questions),
                new QuestionAnsweringEncoder(base.tokenizer(), QuestionAnsweringEncoder.STRIDE),
                Math.min(WINDOW, base.backbone().maxPositions()),
                Overflow.DROP);
        Answer[] answers = new Answer[questions.size()];
        new Predictor(base, examples, batchSize).predict(hooks, prediction -> {
            Prediction.AnswerSpan found = (Prediction.AnswerSpan) prediction;
            String text = found.text(allowsNoAnswer);
            String best = found.text(false);
            double none = 1 / (1 + Math.exp(found.score() - found.nullScore()));
            answers[found.row()] = text.isEmpty()
                    ? new Answer("", 0, 0, 0, best, none)
                    : new Answer(text, found.probability(), found.from(), found.to(), best, none);
        });
        return List.of(answers);
    }
}
