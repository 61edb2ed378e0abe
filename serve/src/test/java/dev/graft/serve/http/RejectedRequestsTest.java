package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.AtomicWrite;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests that no text is written for. */
class RejectedRequestsTest extends WithTinyChat {
    @Test
    void anUnknownModelIsNotFound() {
        Client.Reply reply = client.ask("nobody", "");

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
        assertThat(client.ask(name, "").status()).isIn(400, 404);
        assertThat(client.ask("tiny:" + name, "").status()).isIn(400, 404);
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
                ", \"logit_bias\": {\"300\": 1}",
                ", \"logit_bias\": {\"5\": 1, \"999999999\": -100}",
                ", \"logit_bias\": {\"05\": 1}",
                ", \"metadata\": 5",
                ", \"metadata\": {\"ticket\": 5}",
                ", \"user\": 3",
                ", \"user\": {\"id\": \"ann\"}",
                ", \"safety_identifier\": 3",
                ", \"functions\": []",
                ", \"response_format\": {}",
                ", \"response_format\": {\"type\": null}",
                ", \"response_format\": {\"json_schema\": {\"name\": \"x\", \"schema\": {\"type\": \"object\"}}}",
                ", \"top_logprobs\": 2",
                ", \"unheard_of\": 1",
                ", \"stream_options\": {\"include_usage\": true}",
                ", \"response_format\": {\"type\": \"json_schema\"}",
                ", \"response_format\": {\"type\": \"json_object\"}, \"stop\": \"}\"",
                ", \"response_format\": {\"type\": \"json_object\"}, \"ignore_eos\": true",
                ", \"seed\": 1.5",
                ", \"seed\": 9223372036854775808",
                ", \"messages\": []"
            })
    void whatCanNotBeHonouredIsRefusedByName(String field) {
        String body = Client.chat("tiny", field)
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
    @ValueSource(strings = {"\"logit_bias\": {\"300\": 1}", "\"user\": 3", "\"response_format\": {}"})
    void whatCanNotBeHonouredIsRefusedByNameForPlainTextsToo(String field) {
        Client.Reply reply = client.post("/v1/completions", "{\"model\": \"tiny\", \"prompt\": \"a\", " + field + "}");

        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error()).contains(field.substring(1, field.indexOf('"', 1)));
    }

    @Test
    void whatWasExpectedIsSaidPlainly() {
        assertRefused(
                "/v1/completions",
                "{\"model\": \"tiny\", \"prompt\": \"a\", \"best_of\": 2}",
                "the request: best_of is 2, expected 1");
        assertThat(client.ask("tiny", ", \"tools\": [{\"type\": \"retrieval\"}]")
                        .error())
                .endsWith("tools[0].type is \"retrieval\", expected \"function\"");
        assertRefused(
                "/v1/completions",
                "{\"model\": \"tiny\", \"prompt\": \"a\", \"temperature\": 3}",
                "temperature is 3, expected a number from 0 to 2");
        assertRefused(
                "/v1/completions",
                "{\"model\": \"tiny\", \"prompt\": \"a\", \"top_p\": 0}",
                "top_p is 0, expected a number above 0, at most 1");
    }

    @Test
    void whatIsRequiredMayNotBeNull() {
        String messages = "\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]";

        assertRefused("/v1/chat/completions", "{\"model\": null, " + messages + "}", "model is null");
        assertRefused("/v1/chat/completions", "{\"model\": \"tiny\", \"messages\": null}", "messages is null");
        assertRefused("/v1/completions", "{\"model\": \"tiny\", \"prompt\": null}", "prompt is null");
    }

    private static void assertRefused(String path, String body, String why) {
        Client.Reply reply = client.post(path, body);

        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error()).contains(why);
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
        assertThat(client.post("/v1/chat/completions", Client.chat("tiny", ""), "text/plain")
                        .status())
                .isEqualTo(415);
    }

    @Test
    void aPromptThatIsTooLongIsRefused() {
        Client.Reply reply = client.post(
                "/v1/chat/completions", Client.chat("tiny", "").replace("Hello", "Hello you there ".repeat(200)));

        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.json().path("error").path("code").stringValue()).isEqualTo("context_length_exceeded");
    }

    @ParameterizedTest
    @CsvSource({"graft.json, another base", "adapter_config.json, expected", "adapter_model.safetensors, bytes"})
    void anAdapterThatCanNotBeLoadedIsToldWithoutItsFolder(String file, String why) throws IOException {
        tiny.lora("broken", 5);
        Path folder = tiny.adapterFolder.resolve("broken");
        String wrong = file.equals("graft.json") ? "{\"base_fingerprint\": \"" + "0".repeat(64) + "\"}" : "[]";
        Files.writeString(folder.resolve(file), wrong);
        try {
            for (Client.Reply reply : List.of(
                    client.ask("broken", ""),
                    client.ask("broken", ", \"stream\": true"),
                    client.post("/v1/completions", "{\"model\": \"broken\", \"prompt\": \"Hello\"}"),
                    client.post("/v1/load_lora_adapter", "{\"lora_name\": \"alias\", \"lora_path\": \"broken\"}"))) {
                assertThat(reply.status()).as(reply.body()).isEqualTo(400);
                assertThat(reply.error()).startsWith(file + ": ").contains(why).doesNotContain("/");
            }
            assertThat(client.get("/v1/models").body())
                    .contains("broken")
                    .doesNotContain(tiny.adapterFolder.toRealPath().toString());
        } finally {
            AtomicWrite.delete(folder);
        }
    }
}
