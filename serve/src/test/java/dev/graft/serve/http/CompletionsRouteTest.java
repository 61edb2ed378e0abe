package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import dev.graft.models.tokenizers.EncodeOptions;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** What is written for a request. */
class CompletionsRouteTest extends WithTinyChat {
    @Test
    void aMessageIsAnswered() {
        JsonNode body = client.ask("tiny", "").json();

        assertThat(body.path("object").stringValue()).isEqualTo("chat.completion");
        assertThat(body.path("id").stringValue()).startsWith("chatcmpl-");
        assertThat(body.path("model").stringValue()).isEqualTo("tiny");
        JsonNode choice = body.path("choices").path(0);
        assertThat(choice.path("message").path("role").stringValue()).isEqualTo("assistant");
        assertThat(choice.path("finish_reason").stringValue()).isEqualTo("length");
        assertThat(body.path("usage").path("completion_tokens").intValue()).isEqualTo(12);
        assertThat(body.path("usage").path("total_tokens").intValue())
                .isEqualTo(12 + body.path("usage").path("prompt_tokens").intValue());
    }

    @Test
    void aModelIsTheBaseOrAnAdapterByEitherName() {
        String poet = client.ask("poet", "").content();

        assertThat(poet)
                .isEqualTo(client.ask("tiny:poet", "").content())
                .isNotEqualTo(client.ask("tiny", "").content());
        assertThat(client.ask("clerk", "").content()).isNotEqualTo(poet);
    }

    @Test
    void aStreamHasTheSameText() {
        Client.Reply reply = client.ask("poet", ", \"stream\": true, \"stream_options\": {\"include_usage\": true}");
        List<String> events = reply.events();

        assertThat(reply.response().headers().firstValue("Content-Type").orElse(""))
                .startsWith("text/event-stream");
        assertThat(events.get(events.size() - 1)).isEqualTo("[DONE]");
        List<JsonNode> chunks = events.subList(0, events.size() - 1).stream()
                .map(event -> Json.parse("event", event))
                .toList();
        assertThat(chunks).allSatisfy(chunk -> {
            assertThat(chunk.path("id")).isEqualTo(chunks.get(0).path("id"));
            assertThat(chunk.path("object").stringValue()).isEqualTo("chat.completion.chunk");
        });
        StringBuilder text = new StringBuilder();
        int roles = 0;
        for (JsonNode chunk : chunks) {
            JsonNode delta = chunk.path("choices").path(0).path("delta");
            text.append(delta.path("content").asString(""));
            roles += delta.has("role") ? 1 : 0;
        }
        assertThat(roles).isEqualTo(1);
        assertThat(text).hasToString(client.ask("poet", "").content());
        JsonNode usage = chunks.get(chunks.size() - 1);
        assertThat(usage.path("choices").isEmpty()).isTrue();
        assertThat(usage.path("usage").path("completion_tokens").intValue()).isEqualTo(12);
        JsonNode last = chunks.get(chunks.size() - 2).path("choices").path(0);
        assertThat(last.path("finish_reason").stringValue()).isEqualTo("length");
        assertThat(last.path("delta").isEmpty()).isTrue();
    }

    @Test
    void aStopTextEndsTheAnswerAndIsLeftOut() {
        String whole = client.ask("clerk", "").content();
        String stop = whole.substring(4, 6);
        Client.Reply reply =
                client.ask("clerk", ", \"stop\": " + Json.compact(Json.parse("x", "[" + quoted(stop) + "]")));

        assertThat(reply.content()).isEqualTo(whole.substring(0, whole.indexOf(stop)));
        assertThat(reply.json().path("choices").path(0).path("finish_reason").stringValue())
                .isEqualTo("stop");
    }

    private static String quoted(String text) {
        return Json.compact(tools.jackson.databind.node.JsonNodeFactory.instance.stringNode(text));
    }

    @Test
    void equalSeedsGiveEqualAnswersAndNOfThemDiffer() {
        String more = ", \"temperature\": 1.5, \"seed\": 11, \"n\": 3";
        String body = Client.chat("poet", more).replace("\"temperature\": 0, ", "");
        JsonNode first = client.post("/v1/chat/completions", body).json();
        JsonNode second = client.post("/v1/chat/completions", body).json();

        assertThat(first.path("choices")).isEqualTo(second.path("choices"));
        List<String> texts = new ArrayList<>();
        first.path("choices")
                .forEach(choice ->
                        texts.add(choice.path("message").path("content").stringValue()));
        assertThat(texts).hasSize(3).doesNotHaveDuplicates();
        assertThat(first.path("usage").path("completion_tokens").intValue()).isEqualTo(36);
    }

    @Test
    void probabilitiesComeWithTheirTokens() {
        JsonNode choice = client.ask("tiny", ", \"logprobs\": true, \"top_logprobs\": 3")
                .json()
                .path("choices")
                .path(0);
        JsonNode content = choice.path("logprobs").path("content");

        assertThat(content.size()).isEqualTo(12);
        for (JsonNode token : content) {
            assertThat(token.path("top_logprobs").size()).isEqualTo(3);
            assertThat(token.path("logprob").doubleValue())
                    .isNegative()
                    .isEqualTo(
                            token.path("top_logprobs").path(0).path("logprob").doubleValue());
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "top_p",
                "top_k",
                "min_p",
                "repetition_penalty",
                "presence_penalty",
                "frequency_penalty",
                "logit_bias",
                "seed",
                "n",
                "stop",
                "max_completion_tokens",
                "logprobs",
                "top_logprobs",
                "stream",
                "stream_options",
                "ignore_eos",
                "response_format",
                "tools",
                "tool_choice",
                "parallel_tool_calls",
                "functions",
                "function_call",
                "store",
                "service_tier",
                "user",
                "metadata",
                "safety_identifier"
            })
    void aFieldThatIsNullCountsAsAbsent(String field) {
        Client.Reply reply = client.ask("tiny", ", \"" + field + "\": null");

        assertThat(reply.status()).as(reply.body()).isEqualTo(200);
        assertThat(reply.content()).isEqualTo(client.ask("tiny", "").content());
    }

    @Test
    void fieldsOfPlainTextsThatAreNullCountAsAbsent() {
        String body = "{\"model\": \"tiny\", \"prompt\": \"Hello\", \"seed\": 3";
        JsonNode plain = client.post("/v1/completions", body + "}").json();
        JsonNode nulls = client.post(
                        "/v1/completions",
                        body + ", \"temperature\": null, \"max_tokens\": null, \"logprobs\": null, \"echo\": null,"
                                + " \"best_of\": null, \"suffix\": null, \"n\": null, \"stream\": null}")
                .json();

        assertThat(plain.path("choices").size()).isEqualTo(1);
        assertThat(nulls.path("choices")).isEqualTo(plain.path("choices"));
    }

    @Test
    void fieldsOfOptionsMayBeNullToo() {
        Client.Reply stream = client.ask(
                "tiny",
                ", \"stream\": true, \"stream_options\": {\"include_usage\": null, \"include_obfuscation\": null}");
        Client.Reply json = client.ask(
                "tiny",
                ", \"response_format\": {\"type\": \"json_schema\", \"json_schema\": {\"name\": \"x\", \"strict\":"
                        + " null, \"description\": null, \"schema\": {\"type\": \"object\", \"properties\": {\"a\":"
                        + " {\"type\": \"boolean\"}}, \"required\": [\"a\"]}}}");
        Client.Reply tool = client.ask(
                "tiny",
                ", \"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"clock\", \"strict\": null,"
                        + " \"description\": null, \"parameters\": null}}]");

        assertThat(stream.events()).endsWith("[DONE]").noneMatch(event -> event.contains("\"usage\""));
        assertThat(json.status()).as(json.body()).isEqualTo(200);
        assertThat(tool.status()).as(tool.body()).isEqualTo(200);
    }

    @Test
    void aBiasCanForbidATokenAndForceOne() {
        JsonNode forced = client.post(
                        "/v1/completions",
                        "{\"model\": \"tiny\", \"prompt\": \"a\", \"max_tokens\": 4, \"temperature\": 0, \"logprobs\":"
                                + " 0, \"logit_bias\": {\"70\": 100}}")
                .json();

        String token = tiny.base.tokenizer().decode(new int[] {70}, false);
        assertThat(forced.path("choices").path(0).path("text").stringValue()).isEqualTo(token.repeat(4));
    }

    @Test
    void plainTextsComeFromTextsAndFromIds() {
        int[] ids =
                tiny.base.tokenizer().encode("Hello you", EncodeOptions.DEFAULT).ids();
        String options = ", \"temperature\": 0, \"max_tokens\": 6";
        JsonNode both = client.post(
                        "/v1/completions",
                        "{\"model\": \"poet\", \"prompt\": [\"Hello you\", \"Hello\"]" + options + "}")
                .json();
        JsonNode fromIds = client.post(
                        "/v1/completions",
                        "{\"model\": \"poet\", \"prompt\": " + java.util.Arrays.toString(ids) + options + "}")
                .json();
        JsonNode echoed = client.post(
                        "/v1/completions",
                        "{\"model\": \"poet\", \"prompt\": \"Hello you\", \"echo\": true" + options + "}")
                .json();

        assertThat(both.path("object").stringValue()).isEqualTo("text_completion");
        String text = both.path("choices").path(0).path("text").stringValue();
        assertThat(both.path("choices").size()).isEqualTo(2);
        assertThat(fromIds.path("choices").path(0).path("text").stringValue()).isEqualTo(text);
        assertThat(echoed.path("choices").path(0).path("text").stringValue()).isEqualTo("Hello you" + text);
    }

    /** As evaluation harnesses ask for it: the prompt's tokens first, of which the first one has no probability. */
    @Test
    void anEchoedPromptHasProbabilities() {
        String ask = "{\"model\": \"poet\", \"prompt\": [\"Hello you\", \"Hello\"], \"echo\": true, \"logprobs\": 1,"
                + " \"temperature\": 0, \"max_tokens\": 2";
        JsonNode choices = client.post("/v1/completions", ask + "}").json().path("choices");
        List<JsonNode> streamed = client.post("/v1/completions", ask + ", \"stream\": true}").events().stream()
                .filter(event -> !event.equals("[DONE]"))
                .map(event -> Json.parse("event", event).path("choices").path(0))
                .toList();

        for (int i = 0; i < 2; i++) {
            int index = i;
            JsonNode choice = choices.path(i);
            JsonNode logprobs = choice.path("logprobs");
            String text = choice.path("text").stringValue();
            int count = tiny.base
                            .tokenizer()
                            .encode(i == 0 ? "Hello you" : "Hello", EncodeOptions.DEFAULT)
                            .length()
                    + 2;
            assertThat(text).startsWith(i == 0 ? "Hello you" : "Hello");
            assertThat(logprobs.path("tokens").size()).isEqualTo(count);
            assertThat(logprobs.path("text_offset").size()).isEqualTo(count);
            assertThat(logprobs.path("token_logprobs").path(0).isNull()).isTrue();
            assertThat(logprobs.path("top_logprobs").path(0).isNull()).isTrue();
            for (int token = 1; token < count; token++) {
                assertThat(logprobs.path("token_logprobs").path(token).doubleValue())
                        .isNegative();
                assertThat(logprobs.path("top_logprobs").path(token).size()).isBetween(1, 2);
            }
            List<JsonNode> own = streamed.stream()
                    .filter(piece -> piece.path("index").intValue() == index)
                    .toList();
            assertThat(own.stream()
                            .flatMap(piece -> piece.path("logprobs")
                                    .path("token_logprobs")
                                    .valueStream()))
                    .containsExactlyElementsOf(
                            logprobs.path("token_logprobs").valueStream().toList());
            assertThat(own.stream()
                            .map(piece -> piece.path("text").stringValue())
                            .collect(Collectors.joining()))
                    .isEqualTo(text);
        }
    }

    @Test
    void contentMayComeInParts() {
        Client.Reply parts = client.post(
                "/v1/chat/completions",
                Client.chat("tiny", "")
                        .replace(
                                "\"Hello\"",
                                "[{\"type\": \"text\", \"text\": \"Hel\"}, {\"type\": \"text\", \"text\": \"lo\"}]"));

        assertThat(parts.content()).isEqualTo(client.ask("tiny", "").content());
    }

    /** The one that takes long is given up when its client goes, streamed or not. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void whatNobodyWaitsForIsGivenUp(boolean stream) throws Exception {
        String body =
                "{\"model\": \"tiny\", \"prompt\": \"Hello\", \"max_tokens\": 480, \"ignore_eos\": true, \"n\": 8,"
                        + " \"stream\": "
                        + stream + "}";
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        try (Socket socket = new Socket("127.0.0.1", tiny.server.address().getPort())) {
            socket.getOutputStream()
                    .write(("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                    + "Content-Length: " + bytes.length + "\r\n\r\n" + body)
                            .getBytes(StandardCharsets.UTF_8));
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
            while (tiny.engine.running() == 0 && System.nanoTime() < end) {
                Thread.sleep(1);
            }
            assertThat(tiny.engine.running()).isPositive();
        }
        long start = System.nanoTime();
        while (tiny.engine.running() > 0) {
            Thread.sleep(2);
        }
        assertThat(System.nanoTime() - start).isLessThan(TimeUnit.MILLISECONDS.toNanos(500));
    }
}
