package dev.graft.serve.http;

import dev.graft.formats.Json;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** Asks a server. */
final class Client {
    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final URI server;
    private final String key;

    Client(URI server) {
        this(server, "");
    }

    Client(URI server, String key) {
        this.server = server;
        this.key = key;
    }

    /** An answer. */
    record Reply(int status, String body, HttpResponse<String> response) {
        JsonNode json() {
            return Json.parse("the answer", body);
        }

        /** The text of the first answer. */
        String content() {
            return json().path("choices")
                    .path(0)
                    .path("message")
                    .path("content")
                    .stringValue();
        }

        String error() {
            return json().path("error").path("message").stringValue();
        }

        /** What follows {@code data:} in each event. */
        List<String> events() {
            return body.lines()
                    .filter(line -> line.startsWith("data: "))
                    .map(line -> line.substring(6))
                    .toList();
        }
    }

    /** A request that a model answers "Hello" in 12 tokens, with other fields behind. */
    static String chat(String model, String more) {
        return "{\"model\": \"" + model + "\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}],"
                + " \"temperature\": 0, \"max_tokens\": 12" + more + "}";
    }

    Reply ask(String model, String more) {
        return post("/v1/chat/completions", chat(model, more));
    }

    Reply get(String path) {
        return send(HttpRequest.newBuilder(server.resolve(path)).GET());
    }

    Reply post(String path, String body) {
        return post(path, body, "application/json");
    }

    Reply post(String path, String body, String type) {
        return send(HttpRequest.newBuilder(server.resolve(path))
                .header("Content-Type", type)
                .POST(HttpRequest.BodyPublishers.ofString(body)));
    }

    Reply send(HttpRequest.Builder request) {
        if (!key.isEmpty()) {
            request.header("Authorization", "Bearer " + key);
        }
        try {
            HttpResponse<String> response =
                    http.send(request.timeout(Duration.ofSeconds(60)).build(), HttpResponse.BodyHandlers.ofString());
            return new Reply(response.statusCode(), response.body(), response);
        } catch (IOException | InterruptedException failure) {
            throw new AssertionError(failure);
        }
    }
}
