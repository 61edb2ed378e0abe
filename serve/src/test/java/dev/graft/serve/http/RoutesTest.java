package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.serve.engine.Engine;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a method and a path find, and what is said of those that find nothing. */
class RoutesTest extends WithTinyChat {
    private static Client.Reply ask(String method, String path) {
        return client.send(HttpRequest.newBuilder(tiny.server.address().resolve(path))
                .method(method, HttpRequest.BodyPublishers.noBody()));
    }

    /** All that the server sends before it ends the connection. */
    private static String raw(String method, String path) throws IOException {
        try (Socket socket = new Socket(
                InetAddress.getLoopbackAddress(), tiny.server.address().getPort())) {
            socket.setSoTimeout(20_000);
            socket.getOutputStream()
                    .write((method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                            .getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static Map<String, String> headers(String answer) {
        return answer.substring(0, answer.indexOf("\r\n\r\n"))
                .lines()
                .skip(1)
                .filter(line -> !line.startsWith("Date: "))
                .map(line -> line.split(": ", 2))
                .collect(Collectors.toMap(
                        pair -> pair[0].toLowerCase(Locale.ROOT), pair -> pair[1], (a, b) -> b, TreeMap::new));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/v1/models",
                "/v1/models/poet",
                "/lora-adapters",
                "/",
                "/app.js",
                "/health",
                "/v1/models/nobody",
                "/v1/embeddings"
            })
    void headIsAGetWithoutItsBody(String path) throws IOException {
        String get = raw("GET", path);
        String head = raw("HEAD", path);

        assertThat(head.lines().findFirst()).isEqualTo(get.lines().findFirst());
        assertThat(headers(head)).isEqualTo(headers(get)).containsKeys("content-type", "content-length");
        assertThat(head).endsWith("\r\n\r\n");
        assertThat(get).doesNotEndWith("\r\n\r\n");
    }

    @Test
    void headOfTheFiguresHasTheirType() {
        Client.Reply head = ask("HEAD", "/metrics");

        assertThat(head.status()).isEqualTo(200);
        assertThat(head.response().headers().firstValue("Content-Type").orElse(""))
                .startsWith("text/plain; version=0.0.4");
    }

    @ParameterizedTest
    @CsvSource({
        "GET, /v1/completions, POST",
        "HEAD, /v1/chat/completions, POST",
        "OPTIONS, /v1/chat/completions, POST",
        "POST, /v1/models, 'GET, HEAD'",
        "DELETE, /v1/models/poet, 'GET, HEAD'",
        "PUT, /lora-adapters, 'GET, HEAD, POST'",
        "POST, /, 'GET, HEAD'"
    })
    void aMethodThatAPathHasNotIsToldThoseThatItHas(String method, String path, String allowed) {
        Client.Reply reply = ask(method, path);

        assertThat(reply.status()).isEqualTo(405);
        assertThat(reply.response().headers().firstValue("Allow")).contains(allowed);
        if (!method.equals("HEAD")) {
            assertThat(reply.error()).isEqualTo(path + " takes " + allowed + " and not " + method);
            assertThat(reply.json().at("/error/code").stringValue()).isEqualTo("method_not_allowed");
        }
    }

    @ParameterizedTest
    @CsvSource({"/v1/embeddings, feature_extraction", "/v1/classify, seq_cls", "/v1/token_classify, token_cls"})
    void whatOnlyAnEncoderAnswersIsToldOfABaseThatWrites(String path, String task) {
        Client.Reply reply = client.post(path, "{\"model\": \"tiny\", \"input\": \"Hello\"}");

        assertThat(reply.status()).isEqualTo(404);
        assertThat(reply.json().at("/error/code").stringValue()).isEqualTo("route_not_served");
        assertThat(reply.error())
                .isEqualTo(path + " needs a base for " + task + "; tiny is served for causal_lm and has"
                        + " /v1/completions and /v1/chat/completions: use that, or serve another base or task");
    }

    @Test
    void aBaseWithoutAChatTemplateSaysSo() throws IOException {
        try (Engine engine = new Engine(tiny.base, tiny.base.tokenizer(), new Engine.Options(8, 64, 16, 1 << 20));
                Server server = Server.forGeneration(engine, tiny.adapters, null, new Metrics(), TinyChat.options())) {
            Client.Reply reply = new Client(server.address()).ask("tiny", "");

            assertThat(reply.status()).isEqualTo(404);
            assertThat(reply.json().at("/error/code").stringValue()).isEqualTo("route_not_served");
            assertThat(reply.error()).contains("a chat template").contains("has /v1/completions:");
        }
    }

    @Test
    void anAddressOfNoServerIsUnknown() {
        Client.Reply reply = client.post("/v1/chat/completion", Client.chat("tiny", ""));

        assertThat(reply.status()).isEqualTo(404);
        assertThat(reply.json().at("/error/code").stringValue()).isEqualTo("unknown_url");
    }
}
