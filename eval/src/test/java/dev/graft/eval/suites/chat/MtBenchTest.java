package dev.graft.eval.suites.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import dev.graft.eval.suites.chat.Judge.Judgement;
import dev.graft.eval.suites.chat.Judge.Winner;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

class MtBenchTest {
    @TempDir
    Path folder;

    private final List<JsonNode> asked = new ArrayList<>();
    private HttpServer server;

    @BeforeEach
    void files() throws IOException {
        Files.writeString(folder.resolve("question.jsonl"), """
            {"question_id": 81, "category": "writing", "turns": ["Write of {answer}.", "Shorter."]}
            {"question_id": 111, "category": "math", "turns": ["2+2?", "Plus 1?"]}
            """);
        Files.createDirectories(folder.resolve("reference_answer"));
        Files.writeString(
                folder.resolve("reference_answer/gpt-4.jsonl"),
                "{\"question_id\": 111, \"choices\": [{\"index\": 0, \"turns\": [\"It is 4\", \"It is 5.\"]}]}\n");
        StringBuilder prompts = new StringBuilder();
        for (String turns : List.of("", "-multi-turn")) {
            String from = turns.isEmpty() ? "{question}" : "{question_1}/{question_2}";
            prompt(prompts, "single-v1" + turns, from + " -> {answer}");
            prompt(prompts, "single-math-v1" + turns, "{ref_answer_1}: " + from + " -> {answer}");
            prompt(prompts, "pair-v2" + turns, from + " A {answer_a} B {answer_b}");
            prompt(prompts, "pair-math-v1" + turns, "{ref_answer_1}: " + from + " A {answer_a} B {answer_b}");
        }
        Files.writeString(folder.resolve("judge_prompts.jsonl"), prompts);
    }

    private static void prompt(StringBuilder prompts, String name, String template) {
        ObjectNode line = JsonNodeFactory.instance.objectNode();
        line.put("name", name).put("system_prompt", "You judge.").put("prompt_template", template);
        prompts.append(Json.compact(line)).append('\n');
    }

    /** A judge behind a real endpoint. */
    private EndpointJudge judge(Function<String, String> says) throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/v1/chat/completions", exchange -> {
            JsonNode body = Json.parse("request", exchange.getRequestBody().readAllBytes());
            asked.add(body);
            ObjectNode answer = JsonNodeFactory.instance.objectNode();
            answer.putArray("choices")
                    .addObject()
                    .putObject("message")
                    .put("content", says.apply(body.at("/messages/1/content").stringValue()));
            byte[] bytes = Json.compact(answer).getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, bytes.length);
            exchange.getResponseBody().write(bytes);
            exchange.close();
        });
        server.start();
        return new EndpointJudge(
                "http://localhost:" + server.getAddress().getPort() + "/v1/", "judge-1", "key", folder);
    }

    @AfterEach
    void stop() {
        if (server != null) {
            server.stop(0);
        }
    }

    private static Map<Integer, List<String>> answers(String one, String two, String three, String four) {
        return Map.of(81, List.of(one, two), 111, List.of(three, four));
    }

    @Test
    void ratingsAreMeansByTurnAndCategoryAndWhatCannotBeReadIsCounted() throws IOException {
        Judge judge =
                judge(text -> text.contains("Shorter") ? "I don't rate." : text.contains("2+2") ? "[[9.5]]" : "[[4]]");
        MtRatings ratings = new MtBench(MtQuestion.read(folder), judge).rate(answers("a {question} $1", "b", "4", "5"));
        assertThat(ratings.means())
                .containsEntry("score", (4 + 9.5 + 9.5) / 3)
                .containsEntry("turn_1", (4 + 9.5) / 2)
                .containsEntry("math", 9.5)
                .containsEntry("writing", 4.0);
        assertThat(ratings.failures()).isEqualTo(1);
        // Places are filled once: braces in questions and answers stay.
        assertThat(asked.get(0).at("/messages/1/content").stringValue())
                .isEqualTo("Write of {answer}. -> a {question} $1");
        assertThat(asked.get(3).at("/messages/1/content").stringValue()).isEqualTo("It is 4: 2+2?/Plus 1? -> 5");
        assertThat(asked.get(0).at("/model").stringValue()).isEqualTo("judge-1");
    }

    @Test
    void aJudgeThatLikesTheFirstAnswerFindsTiesOnly() throws IOException {
        MtMatches matches = new MtBench(MtQuestion.read(folder), judge(text -> "So [[A]]"))
                .compare(answers("a", "b", "c", "d"), answers("e", "f", "g", "h"));
        assertThat(List.of(matches.wins(), matches.losses(), matches.ties(), matches.inconsistent()))
                .containsExactly(0L, 0L, 4L, 4L);
        assertThat(matches.winRate()).isEqualTo(0.5);
    }

    @Test
    void aWinInBothOrdersCounts() throws IOException {
        Judge judge = judge(text ->
                text.matches("(?s).*A good.*") ? "[[A]]" : text.matches("(?s).*B good.*") ? "[[B]]" : "[[A]] [[B]]");
        MtMatches matches = new MtBench(MtQuestion.read(folder), judge)
                .compare(answers("good", "good", "bad", "bad"), answers("bad", "bad", "good", "worse"));
        assertThat(List.of(matches.wins(), matches.losses(), matches.failures()))
                .containsExactly(2L, 1L, 1L);
    }

    @Test
    void ratingsAndVerdictsAreReadOrNot() {
        assertThat(EndpointJudge.rating("Rating: [[7]]").value()).isEqualTo(7);
        assertThat(EndpointJudge.rating("Rating: [8.5]").value()).isEqualTo(8.5);
        assertThat(EndpointJudge.rating("[[11]]").failed()).isTrue();
        assertThat(EndpointJudge.rating("seven").failed()).isTrue();
        assertThat(EndpointJudge.winner("[[C]]").value()).isEqualTo(Winner.TIE);
        assertThat(EndpointJudge.winner("[[A]] or [[B]]").failed()).isTrue();
    }

    @Test
    void aRuleComparesFinalNumbers() {
        MtRatings ratings =
                new MtBench(MtQuestion.read(folder), new RuleJudge()).rate(answers("a", "b", "so 4.0", "six: 6"));
        assertThat(ratings.means()).containsEntry("math", 5.5);
        assertThat(ratings.unrated()).isEqualTo(2);
    }

    @Test
    void peopleRateAndChoose() throws IOException {
        Path file = folder.resolve("people.jsonl");
        Files.writeString(
                file,
                "{\"question_id\": 81, \"turn\": 1, \"score\": 7}\n"
                        + "{\"question_id\": 81, \"turn\": 2, \"winner\": \"other\"}\n");
        FileJudge judge = new FileJudge(file);
        MtQuestion question = MtQuestion.read(folder).get(0);
        assertThat(judge.rate(question, 0, List.of()).value()).isEqualTo(7);
        assertThat(judge.compare(question, 1, List.of(), List.of(), false).value())
                .isEqualTo(Winner.SECOND);
        assertThat(judge.compare(question, 1, List.of(), List.of(), true).value())
                .isEqualTo(Winner.FIRST);
        assertThat(judge.rate(question, 1, List.of())).isEqualTo(Judgement.none());
        Files.writeString(file, "{\"question_id\": 81, \"turn\": 1, \"score\": 70}\n");
        assertThatThrownBy(() -> new FileJudge(file))
                .hasMessageContaining("score")
                .hasMessageContaining("people.jsonl:1");
        Files.writeString(file, "{\"question_id\": 81, \"turn\": 1}\n");
        assertThatThrownBy(() -> new FileJudge(file)).hasMessageContaining("neither a score nor a winner");
    }

    @Test
    void answersAreKeptInTheOfficialForm() throws IOException {
        Map<Integer, List<String>> answers = answers("a\n\"b\"", "c", "d", "e");
        Path file = Files.writeString(folder.resolve("m.jsonl"), MtQuestion.written(answers, "m"));
        assertThat(MtQuestion.answers(file)).isEqualTo(answers);
        assertThatThrownBy(() -> new MtBench(MtQuestion.read(folder), new RuleJudge()).rate(Map.of(81, List.of("a"))))
                .hasMessageContaining("are 1 answers to question 81");
    }

    @Test
    void judgesThatFailAreNamed() throws IOException {
        EndpointJudge judge = judge(text -> "[[5]]");
        server.removeContext("/v1/chat/completions");
        MtQuestion question = MtQuestion.read(folder).get(0);
        assertThatThrownBy(() -> judge.rate(question, 0, List.of("a")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("status 404");
        Files.delete(folder.resolve("judge_prompts.jsonl"));
        assertThatThrownBy(() -> new EndpointJudge("http://localhost:1", "m", null, folder))
                .hasMessageContaining("judge_prompts.jsonl isn't there");
    }
}
