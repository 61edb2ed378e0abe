package dev.graft.eval.predict;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.sites.Hooks;
import dev.graft.train.Predictor;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.QuestionAnsweringEncoder;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.loss.Prediction;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class QuestionAnswererTest {
    private static final Path FIXTURES = Path.of("../parity/fixtures");
    private static final JsonNode REFERENCE = Json.read(FIXTURES.resolve("spans/answers.json"));
    private final Base base = Base.load(FIXTURES.resolve("bases/bert-qa"), Base.Options.of(Task.QUESTION_ANS));

    private static List<Row.Question> questions() {
        List<Row.Question> questions = new ArrayList<>();
        for (JsonNode given : REFERENCE.get("cases")) {
            String context = given.get("context").asString();
            List<Row.Answer> answers = new ArrayList<>();
            for (JsonNode answer : given.get("answers")) {
                answers.add(new Row.Answer(
                        answer.get("text").asString(),
                        context.offsetByCodePoints(0, answer.get("answer_start").asInt())));
            }
            questions.add(new Row.Question(given.get("question").asString(), context, answers));
        }
        return questions;
    }

    @Test
    void theBestAnswerOfAllWindowsIsThatOfTheReferenceAndSoIsTheLoss() {
        Examples examples = Examples.encode(
                Rows.of("questions", questions()),
                new QuestionAnsweringEncoder(
                        base.tokenizer(), REFERENCE.get("stride").asInt()),
                REFERENCE.get("max_length").asInt(),
                Overflow.DROP);
        List<Prediction.AnswerSpan> answers = new ArrayList<>();
        double loss = new Predictor(base, examples, 3)
                .predict(Hooks.NONE, prediction -> answers.add((Prediction.AnswerSpan) prediction))
                .sum();
        double expected = 0;
        for (JsonNode given : REFERENCE.get("cases")) {
            for (JsonNode window : given.get("windows")) {
                expected += window.get("loss").asDouble();
            }
        }
        assertThat(loss).isCloseTo(expected, within(1e-4));
        assertThat(answers).hasSize(REFERENCE.get("cases").size());
        for (Prediction.AnswerSpan span : answers) {
            JsonNode given = REFERENCE.get("cases").get(span.row());
            assertThat(span.text(false)).isEqualTo(given.get("best").asString());
            assertThat(span.score()).isCloseTo(given.get("score").asDouble(), within(1e-4));
            assertThat(span.nullScore()).isCloseTo(given.get("none").asDouble(), within(1e-4));
        }
    }

    @Test
    void aTextMayLeaveAQuestionOpenWhereTheModelWasTaughtSo() {
        Prediction.AnswerSpan poor = new Prediction.AnswerSpan(
                0, new dev.graft.train.data.Passage(questions().get(0), new int[0], new int[0]), 2, 1, 0.1, 2, 5);
        assertThat(poor.text(true)).isEmpty();
        assertThat(poor.text(false)).isEqualTo("the");
        for (QuestionAnswerer.Answer answer : new QuestionAnswerer(base, false, 2).answer(questions(), Hooks.NONE)) {
            assertThat(answer.text()).isNotEmpty();
            assertThat(answer.probability()).isBetween(0.0, 1.0);
        }
    }
}
