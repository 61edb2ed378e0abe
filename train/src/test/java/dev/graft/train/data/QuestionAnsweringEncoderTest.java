package dev.graft.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Tokenizers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class QuestionAnsweringEncoderTest {
    private static final Path FIXTURES = Path.of("../parity/fixtures");
    private static final JsonNode REFERENCE = Json.read(FIXTURES.resolve("spans/answers.json"));
    private static final Tokenizer BERT = Tokenizers.load(FIXTURES.resolve("bases/bert-qa"));

    private static Row row(JsonNode given) {
        String context = given.get("context").asString();
        List<Row.Answer> answers = new ArrayList<>();
        for (JsonNode answer : given.get("answers")) {
            answers.add(new Row.Answer(
                    answer.get("text").asString(),
                    context.offsetByCodePoints(0, answer.get("answer_start").asInt())));
        }
        return new Row.Question(given.get("question").asString(), context, answers);
    }

    @Test
    void windowsAndTheirAnswersAreThoseOfTheReference() {
        QuestionAnsweringEncoder encoder =
                new QuestionAnsweringEncoder(BERT, REFERENCE.get("stride").asInt());
        for (JsonNode given : REFERENCE.get("cases")) {
            List<Example> windows = encoder.windows(
                    3, row(given), "a:1", REFERENCE.get("max_length").asInt());
            assertThat(windows).hasSize(given.get("windows").size());
            for (int i = 0; i < windows.size(); i++) {
                JsonNode expected = given.get("windows").get(i);
                assertThat(windows.get(i).ids())
                        .isEqualTo(StreamSupport.stream(expected.get("ids").spliterator(), false)
                                .mapToInt(JsonNode::asInt)
                                .toArray());
                Target.Span span = (Target.Span) windows.get(i).target();
                assertThat(List.of(span.start(), span.end()))
                        .as(given.get("question") + " " + i)
                        .isEqualTo(List.of(
                                expected.get("start").asInt(),
                                expected.get("end").asInt()));
                assertThat(windows.get(i).row()).isEqualTo(3);
            }
        }
    }

    @Test
    void windowsThatAreMadeAgainAreTheSame() {
        List<Row> questions = new ArrayList<>();
        REFERENCE.get("cases").forEach(given -> questions.add(row(given)));
        Rows rows = Rows.of("rows", questions);
        QuestionAnsweringEncoder encoder = new QuestionAnsweringEncoder(BERT, 128);
        Examples kept = Examples.encode(rows, encoder, 16, Overflow.DROP);
        Examples again = Examples.encode(rows, encoder, 16, Overflow.DROP, 0);
        assertThat(kept.size()).isEqualTo(again.size()).isGreaterThan(questions.size());
        assertThat(kept.isOneToOne()).isFalse();
        for (int i = 0; i < kept.size(); i++) {
            assertThat(again.get(i).ids()).isEqualTo(kept.get(i).ids());
            Target.Span one = (Target.Span) kept.get(i).target();
            Target.Span other = (Target.Span) again.get(i).target();
            assertThat(List.of(other.start(), other.end())).isEqualTo(List.of(one.start(), one.end()));
        }
    }

    @Test
    void otherRowsAndWindowsWithoutRoomAreRefused() {
        assertThatThrownBy(() ->
                        new QuestionAnsweringEncoder(BERT, 128).encode(0, new Row.Completion("a", "b"), "a:1", 16))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("but answering questions needs rows such as");
        Row question = new Row.Question("the tent is on the trees", "the test", null);
        assertThatThrownBy(() -> new QuestionAnsweringEncoder(BERT, 128).encode(0, question, "a:1", 8))
                .isInstanceOf(InputException.class);
    }
}
