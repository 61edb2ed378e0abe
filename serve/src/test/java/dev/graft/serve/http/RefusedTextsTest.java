package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests that no text is written for. */
class RefusedTextsTest extends WithTinyChat {
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
}
