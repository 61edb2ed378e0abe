package dev.graft.serve.http;

import dev.graft.formats.Json;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** Requests whose answers don't depend on chance, for any model. */
enum Question {
    GREEDY("/v1/chat/completions", messages("Hello") + ", \"temperature\": 0, \"max_tokens\": 12"),
    SEEDED("/v1/chat/completions", messages("Hello you") + ", \"seed\": 5, \"temperature\": 1.2, \"max_tokens\": 9"),
    LONG(
            "/v1/chat/completions",
            messages("The sea at night. ".repeat(12)) + ", \"temperature\": 0, \"max_tokens\": 24"),
    LIKELY(
            "/v1/chat/completions",
            messages("Why") + ", \"temperature\": 0, \"max_tokens\": 6, \"logprobs\": true, \"top_logprobs\": 2"),
    SEVERAL("/v1/completions", "\"prompt\": \"One\", \"n\": 3, \"seed\": 1, \"temperature\": 1.5, \"max_tokens\": 8"),
    PLAIN("/v1/completions", "\"prompt\": [\"Two\", \"Three\"], \"temperature\": 0, \"max_tokens\": 5");

    final String path;
    private final String fields;

    Question(String path, String fields) {
        this.path = path;
        this.fields = fields;
    }

    private static String messages(String text) {
        return "\"messages\": [{\"role\": \"user\", \"content\": \"" + text + "\"}]";
    }

    String body(String model, boolean stream) {
        return "{\"model\": \"" + model + "\", " + fields + ", \"stream\": " + stream + "}";
    }

    /** All that a whole answer says but its id and time. */
    static String whole(Client.Reply reply) {
        return Json.compact(reply.json().path("choices"));
    }

    /** The texts of a whole answer. */
    static List<String> texts(Client.Reply reply) {
        List<String> texts = new ArrayList<>();
        for (JsonNode choice : reply.json().path("choices")) {
            texts.add(choice.path("message").path("content").asString("")
                    + choice.path("text").asString(""));
        }
        return texts;
    }

    /** The texts of a streamed answer, or what is wrong with it. */
    static List<String> streamed(Client.Reply reply) {
        List<String> events = reply.events();
        if (events.isEmpty() || !events.get(events.size() - 1).equals("[DONE]")) {
            return List.of("a stream without an end: " + reply.body());
        }
        List<StringBuilder> texts = new ArrayList<>();
        for (String event : events.subList(0, events.size() - 1)) {
            for (JsonNode choice : Json.parse("an event", event).path("choices")) {
                int index = choice.path("index").intValue();
                while (texts.size() <= index) {
                    texts.add(new StringBuilder());
                }
                texts.get(index).append(choice.path("delta").path("content").asString(""));
                texts.get(index).append(choice.path("text").asString(""));
            }
        }
        return texts.stream().map(StringBuilder::toString).toList();
    }
}
