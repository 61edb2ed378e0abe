package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Answers that are held to JSON. */
class JsonAnswersTest extends WithTinyChat {
    /** Texts that are held to JSON stand beside others, which are as they are alone. */
    @Test
    void aJsonObjectIsOneOrIsCutByItsLength() throws Exception {
        String plain = client.ask("poet", ", \"seed\": 3").content();
        String json = ", \"response_format\": {\"type\": \"json_object\"}, \"n\": 6, \"max_tokens\": 40, \"seed\": ";
        ExecutorService people = Executors.newFixedThreadPool(6);
        List<Future<Client.Reply>> replies = new ArrayList<>();
        for (int seed = 0; seed < 12; seed++) {
            String more = json + seed;
            replies.add(people.submit(() -> client.post(
                    "/v1/chat/completions",
                    Client.chat("clerk", more)
                            .replace(", \"max_tokens\": 12", "")
                            .replace("\"temperature\": 0", "\"temperature\": 1.8"))));
            replies.add(people.submit(() -> client.ask("poet", ", \"seed\": 3")));
        }
        int whole = 0;
        for (int i = 0; i < replies.size(); i++) {
            Client.Reply reply = replies.get(i).get();
            if (i % 2 == 1) {
                assertThat(reply.content()).isEqualTo(plain);
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
                Client.chat("poet", schema)
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
        Client.Reply reply = client.post("/v1/chat/completions", Client.chat("tiny", format));
        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error()).contains("pattern").contains("response_format.json_schema.schema");
    }
}
