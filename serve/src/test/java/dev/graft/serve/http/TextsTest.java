package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import dev.graft.serve.Engine;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

@Timeout(60)
class TextsTest {
    private static TinyChat tiny;
    private static Client client;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException {
        tiny = new TinyChat(folder, new Engine.Options(8, 64, 16, 1 << 20), TinyChat.options());
        client = new Client(tiny.server.address());
    }

    @AfterAll
    static void stop() {
        tiny.close();
    }

    private static String chat(String model, String more) {
        return "{\"model\": \"" + model + "\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}],"
                + " \"temperature\": 0, \"max_tokens\": 12" + more + "}";
    }

    private static Client.Reply ask(String model, String more) {
        return client.post("/v1/chat/completions", chat(model, more));
    }

    private static String content(Client.Reply reply) {
        return reply.json()
                .path("choices")
                .path(0)
                .path("message")
                .path("content")
                .stringValue();
    }

    @Test
    void aMessageIsAnswered() {
        JsonNode body = ask("tiny", "").json();

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
        String poet = content(ask("poet", ""));

        assertThat(poet).isEqualTo(content(ask("tiny:poet", ""))).isNotEqualTo(content(ask("tiny", "")));
        assertThat(content(ask("clerk", ""))).isNotEqualTo(poet);
    }

    @Test
    void anUnknownModelIsNotFound() {
        Client.Reply reply = ask("nobody", "");

        assertThat(reply.status()).isEqualTo(404);
        assertThat(reply.json().path("error").path("code").stringValue()).isEqualTo("model_not_found");
        assertThat(reply.error()).contains("\"nobody\" does not exist").contains("poet");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../model",
                "/etc",
                "a%2f..",
                "..\\\\x",
                "CON",
                "poet/",
                "./poet",
                "POET",
                "\\u0000",
                "\\u202epoet",
                ""
            })
    void aNameNeverBecomesAPath(String name) {
        assertThat(ask(name, "").status()).isIn(400, 404);
        assertThat(ask("tiny:" + name, "").status()).isIn(400, 404);
    }

    @Test
    void aStreamHasTheSameText() {
        Client.Reply reply = ask("poet", ", \"stream\": true, \"stream_options\": {\"include_usage\": true}");
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
        assertThat(text).hasToString(content(ask("poet", "")));
        JsonNode usage = chunks.get(chunks.size() - 1);
        assertThat(usage.path("choices").isEmpty()).isTrue();
        assertThat(usage.path("usage").path("completion_tokens").intValue()).isEqualTo(12);
        JsonNode last = chunks.get(chunks.size() - 2).path("choices").path(0);
        assertThat(last.path("finish_reason").stringValue()).isEqualTo("length");
        assertThat(last.path("delta").isEmpty()).isTrue();
    }

    @Test
    void aStopTextEndsTheAnswerAndIsLeftOut() {
        String whole = content(ask("clerk", ""));
        String stop = whole.substring(4, 6);
        Client.Reply reply = ask("clerk", ", \"stop\": " + Json.compact(Json.parse("x", "[" + quoted(stop) + "]")));

        assertThat(content(reply)).isEqualTo(whole.substring(0, whole.indexOf(stop)));
        assertThat(reply.json().path("choices").path(0).path("finish_reason").stringValue())
                .isEqualTo("stop");
    }

    private static String quoted(String text) {
        return Json.compact(tools.jackson.databind.node.JsonNodeFactory.instance.stringNode(text));
    }

    @Test
    void equalSeedsGiveEqualAnswersAndNOfThemDiffer() {
        String more = ", \"temperature\": 1.5, \"seed\": 11, \"n\": 3";
        String body = chat("poet", more).replace("\"temperature\": 0, ", "");
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
        JsonNode choice = ask("tiny", ", \"logprobs\": true, \"top_logprobs\": 3")
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

    @Test
    void aBiasCanForbidATokenAndForceOne() {
        JsonNode forced = client.post(
                        "/v1/completions",
                        "{\"model\": \"tiny\", \"prompt\": \"a\", \"max_tokens\": 4, \"temperature\": 0, \"logprobs\": 0,"
                                + " \"logit_bias\": {\"70\": 100}}")
                .json();

        String token = tiny.base.tokenizer().decode(new int[] {70}, false);
        assertThat(forced.path("choices").path(0).path("text").stringValue()).isEqualTo(token.repeat(4));
    }

    /** Texts that are held to JSON stand beside others, which are as they are alone. */
    @Test
    void aJsonObjectIsOneOrIsCutByItsLength() throws Exception {
        String plain = content(ask("poet", ", \"seed\": 3"));
        String json = ", \"response_format\": {\"type\": \"json_object\"}, \"n\": 6, \"max_tokens\": 40, \"seed\": ";
        ExecutorService people = Executors.newFixedThreadPool(6);
        List<Future<Client.Reply>> replies = new ArrayList<>();
        for (int seed = 0; seed < 12; seed++) {
            String more = json + seed;
            replies.add(people.submit(() -> client.post(
                    "/v1/chat/completions",
                    chat("clerk", more)
                            .replace(", \"max_tokens\": 12", "")
                            .replace("\"temperature\": 0", "\"temperature\": 1.8"))));
            replies.add(people.submit(() -> ask("poet", ", \"seed\": 3")));
        }
        int whole = 0;
        for (int i = 0; i < replies.size(); i++) {
            Client.Reply reply = replies.get(i).get();
            if (i % 2 == 1) {
                assertThat(content(reply)).isEqualTo(plain);
                continue;
            }
            assertThat(reply.status()).as(reply.body()).isEqualTo(200);
            for (JsonNode choice : reply.json().path("choices")) {
                String text = choice.path("message").path("content").stringValue();
                assertThat(text.stripLeading()).startsWith("{");
                if (choice.path("finish_reason").stringValue().equals("stop")) {
                    assertThat(JsonMapper.shared().readTree(text).isObject()).isTrue();
                    whole++;
                }
            }
        }
        people.shutdown();
        assertThat(whole).isPositive();
    }

    @Test
    void aJsonTextIsAsItsSchemaSaysOrIsCut() {
        String schema = """
                , "n": 8, "max_tokens": 60, "seed": 5, "response_format": {"type": "json_schema", "json_schema": {
                  "name": "poem", "strict": true, "schema": {"type": "object", "additionalProperties": false,
                    "properties": {"mood": {"enum": ["glad", "sad"]}, "lines": {"type": "integer"}},
                    "required": ["mood", "lines"]}}}
                """;
        Client.Reply reply = client.post(
                "/v1/chat/completions",
                chat("poet", schema)
                        .replace(", \"max_tokens\": 12", "")
                        .replace("\"temperature\": 0", "\"temperature\": 1.5"));
        assertThat(reply.status()).as(reply.body()).isEqualTo(200);
        int whole = 0;
        for (JsonNode choice : reply.json().path("choices")) {
            if (choice.path("finish_reason").stringValue().equals("stop")) {
                JsonNode poem = JsonMapper.shared()
                        .readTree(choice.path("message").path("content").stringValue());
                assertThat(poem.propertyNames()).containsExactly("mood", "lines");
                assertThat(poem.path("mood").stringValue()).isIn("glad", "sad");
                assertThat(poem.path("lines").isIntegralNumber()).isTrue();
                whole++;
            }
        }
        assertThat(whole).isPositive();
    }

    @Test
    void whatASchemaCanNotHoldToIsRefusedByName() {
        String format =
                ", \"response_format\": {\"type\": \"json_schema\", \"json_schema\": {\"name\": \"x\", \"schema\":"
                        + " {\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"string\", \"pattern\": \"x\"}}}}}";
        Client.Reply reply = client.post("/v1/chat/completions", chat("tiny", format));
        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error()).contains("pattern").contains("response_format.json_schema.schema");
    }

    @Test
    void plainTextsComeFromTextsAndFromIds() {
        int[] ids = tiny.base
                .tokenizer()
                .encode("Hello you", dev.graft.models.tokenizers.EncodeOptions.DEFAULT)
                .ids();
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

    @Test
    void contentMayComeInParts() {
        Client.Reply parts = client.post(
                "/v1/chat/completions",
                chat("tiny", "")
                        .replace(
                                "\"Hello\"",
                                "[{\"type\": \"text\", \"text\": \"Hel\"}, {\"type\": \"text\", \"text\": \"lo\"}]"));

        assertThat(content(parts)).isEqualTo(content(ask("tiny", "")));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                ", \"stream\": \"yes\"",
                ", \"n\": 1000000000",
                ", \"n\": 0",
                ", \"max_tokens\": -1",
                ", \"max_tokens\": 99999999",
                ", \"temperature\": 3",
                ", \"temperature\": \"hot\"",
                ", \"top_p\": 0",
                ", \"top_p\": 1.5",
                ", \"tools\": [{\"type\": \"function\"}]",
                ", \"stop\": [\"\"]",
                ", \"stop\": 3",
                ", \"logit_bias\": {\"x\": 1}",
                ", \"logit_bias\": {\"1\": 1000}",
                ", \"top_logprobs\": 2",
                ", \"unheard_of\": 1",
                ", \"stream_options\": {\"include_usage\": true}",
                ", \"response_format\": {\"type\": \"json_schema\"}",
                ", \"response_format\": {\"type\": \"json_object\"}, \"stop\": \"}\"",
                ", \"response_format\": {\"type\": \"json_object\"}, \"ignore_eos\": true",
                ", \"seed\": 1.5",
                ", \"messages\": []"
            })
    void whatCanNotBeHonouredIsRefusedByName(String field) {
        String body = chat("tiny", field)
                .replace(", \"temperature\": 0", field.contains("temperature") ? "" : ", \"temperature\": 0");
        Client.Reply reply = client.post(
                "/v1/chat/completions",
                field.contains("messages")
                        ? "{\"model\": \"tiny\"" + field + "}"
                        : body.replace(
                                ", \"max_tokens\": 12", field.contains("max_tokens") ? "" : ", \"max_tokens\": 12"));

        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error()).contains(field.substring(3, field.indexOf('"', 3)));
        assertThat(reply.json().path("error").path("type").stringValue()).isEqualTo("invalid_request_error");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{",
                "[]",
                "nul",
                "{\"model\": \"tiny\"}",
                "{\"messages\": 3, \"model\": \"tiny\"}",
                "{\"model\": 3}",
                "\"\\ud800"
            })
    void whatIsNoRequestIsRefused(String body) {
        assertThat(client.post("/v1/chat/completions", body).status()).isEqualTo(400);
    }

    @Test
    void deepAndLargeBodiesAreRefused() {
        String deep = "{\"model\": \"tiny\", \"messages\": " + "[".repeat(100_000) + "]".repeat(100_000) + "}";

        assertThat(client.post("/v1/chat/completions", deep).status()).isEqualTo(400);
        assertThat(client.post("/v1/chat/completions", " ".repeat(5 << 20)).status())
                .isEqualTo(413);
        assertThat(client.post("/v1/chat/completions", chat("tiny", ""), "text/plain")
                        .status())
                .isEqualTo(415);
    }

    @Test
    void aPromptThatIsTooLongIsRefused() {
        Client.Reply reply =
                client.post("/v1/chat/completions", chat("tiny", "").replace("Hello", "Hello you there ".repeat(200)));

        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.json().path("error").path("code").stringValue()).isEqualTo("context_length_exceeded");
    }

    @Test
    void modelsAreTheBaseAndItsAdapters() {
        List<String> ids = new ArrayList<>();
        client.get("/v1/models")
                .json()
                .path("data")
                .forEach(model -> ids.add(model.path("id").stringValue()));

        assertThat(ids).startsWith("tiny").contains("clerk", "poet", "scaled");
        ask("poet", "");
        JsonNode poet = client.get("/v1/models/poet").json();
        assertThat(poet.path("parent").stringValue()).isEqualTo("tiny");
        assertThat(4 * poet.path("parameters").longValue())
                .as("an adapter's own numbers, in fp32")
                .isEqualTo(poet.path("bytes").longValue());
        assertThat(client.get("/v1/models/nobody").status()).isEqualTo(404);
        assertThat(client.get("/nowhere").status()).isEqualTo(404);
        assertThat(client.get("/v1/completions").status()).isEqualTo(405);
        assertThat(client.get("/health").status()).isEqualTo(200);
        assertThat(client.get("/ready").status()).isEqualTo(200);
    }

    @Test
    void adaptersComeAndGo() {
        tiny.lora("guest", 9);
        String guest = content(ask("guest", ""));
        assertThat(client.post("/v1/load_lora_adapter", "{\"lora_name\": \"alias\", \"lora_path\": \"guest\"}")
                        .body())
                .isEqualTo("Success: LoRA adapter 'alias' added successfully.");
        assertThat(content(ask("alias", ""))).isEqualTo(guest);
        assertThat(client.post("/v1/load_lora_adapter", "{\"lora_name\": \"alias\", \"lora_path\": \"guest\"}")
                        .status())
                .isEqualTo(400);
        assertThat(client.post("/v1/unload_lora_adapter", "{\"lora_name\": \"alias\"}")
                        .status())
                .isEqualTo(200);
        assertThat(ask("alias", "").status()).isEqualTo(404);
        assertThat(client.post("/v1/unload_lora_adapter", "{\"lora_name\": \"alias\"}")
                        .status())
                .isEqualTo(404);
        for (String path : List.of("/etc", "../model", "nobody")) {
            assertThat(client.post(
                                    "/v1/load_lora_adapter",
                                    "{\"lora_name\": \"evil\", \"lora_path\": \"" + path + "\"}")
                            .status())
                    .isEqualTo(404);
        }
    }

    @Test
    void strengthsAreLlamaCpps() {
        String before = content(ask("clerk", ""));
        JsonNode list = client.get("/lora-adapters").json();
        int clerk = 0;
        while (!list.path(clerk).path("path").stringValue().equals("clerk")) {
            clerk++;
        }

        assertThat(list.path(clerk).path("scale").doubleValue()).isEqualTo(1);
        assertThat(client.post("/lora-adapters", "[]").status()).isEqualTo(200);
        assertThat(content(ask("clerk", ""))).isEqualTo(content(ask("tiny", "")));
        client.post("/lora-adapters", all(list));
        assertThat(content(ask("clerk", ""))).isEqualTo(before);
        assertThat(client.post("/lora-adapters", "[{\"id\": 99, \"scale\": 1}]").status())
                .isEqualTo(400);
        assertThat(client.post("/lora-adapters", "{}").status()).isEqualTo(400);
    }

    private static String all(JsonNode list) {
        List<String> entries = new ArrayList<>();
        list.forEach(entry -> entries.add("{\"id\": " + entry.path("id").intValue() + ", \"scale\": 1}"));
        return entries.toString();
    }

    @Test
    void figuresCountWhatHappens() {
        ask("tiny", "");
        String figures = client.get("/metrics").body();

        assertThat(figures)
                .contains("graft_tokens_written_total")
                .contains("graft_first_token_duration_seconds_bucket")
                .contains("graft_requests_waiting 0.0")
                .contains("graft_request_duration_seconds_count{route=\"/v1/chat/completions\",status=\"200\"}");
    }

    /** The one that takes long is given up when its client goes, streamed or not. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void whatNobodyWaitsForIsGivenUp(boolean stream) throws Exception {
        String body =
                "{\"model\": \"tiny\", \"prompt\": \"Hello\", \"max_tokens\": 480, \"ignore_eos\": true, \"n\": 8, \"stream\": "
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
