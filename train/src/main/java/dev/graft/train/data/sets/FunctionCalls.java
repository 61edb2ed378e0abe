package dev.graft.train.data.sets;

import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import dev.graft.models.chat.Message;
import dev.graft.train.data.Row;
import dev.graft.train.data.files.Splits;
import dev.graft.train.data.sets.HashSplits.GroupedRow;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Questions of the Berkeley function calling leaderboard, each with the functions that may be called and one call that answers it, as JSON:
 * {@code {"name": "math.factorial", "arguments": {"number": 5}}}. If several values are accepted, the first is the answer; optional
 * arguments are left out.
 */
final class FunctionCalls {
    private static final List<String> FILES =
            List.of("BFCL_v4_simple_python.json", "BFCL_v4_multiple.json", "BFCL_v4_live_simple.json");

    /** Functions described in more characters than these don't fit a small model. */
    private static final int LONGEST = 3000;

    private FunctionCalls() {}

    static Splits read(Path from) throws IOException {
        Path data = from.resolve("bfcl_eval/data");
        List<GroupedRow> rows = new ArrayList<>();
        for (String name : FILES) {
            Map<String, JsonNode> answers = new HashMap<>();
            for (JsonNode line : lines(data.resolve("possible_answer").resolve(name))) {
                answers.put(
                        line.path("id").asString(), line.path("ground_truth").path(0));
            }
            for (JsonNode line : lines(data.resolve(name))) {
                JsonNode answer = answers.get(line.path("id").asString());
                String functions = Json.compact(line.path("function"));
                if (answer != null && answer.isObject() && functions.length() <= LONGEST) {
                    rows.add(new GroupedRow(
                            line.path("function").path(0).path("name").asString(), row(line, functions, answer)));
                }
            }
        }
        return HashSplits.split("function-calls", rows);
    }

    private static Row row(JsonNode line, String functions, JsonNode answer) {
        List<Message> messages = new ArrayList<>();
        StringBuilder system = new StringBuilder(
                        "Answer with one call of a function, as JSON with its name and arguments.\n")
                .append("Functions: ")
                .append(functions);
        for (JsonNode message : line.path("question").path(0)) {
            if (message.path("role").asString().equals("system")) {
                system.append('\n').append(message.path("content").asString());
            } else {
                messages.add(new Message(
                        message.path("role").asString(), message.path("content").asString()));
            }
        }
        messages.add(0, new Message("system", system.toString()));
        messages.add(new Message("assistant", Json.compact(call(answer))));
        return new Row.Chat(messages);
    }

    /** The first of the calls that are accepted. */
    static ObjectNode call(JsonNode answer) {
        ObjectNode call = JsonNodeFactory.instance.objectNode();
        answer.properties().forEach(function -> {
            call.put("name", function.getKey());
            call.set("arguments", arguments(function.getValue()));
        });
        return call;
    }

    private static ObjectNode arguments(JsonNode accepted) {
        ObjectNode arguments = JsonNodeFactory.instance.objectNode();
        accepted.properties().forEach(argument -> {
            JsonNode first = argument.getValue().path(0);
            boolean optional = first.isMissingNode()
                    || argument.getValue()
                            .valueStream()
                            .anyMatch(value ->
                                    value.isString() && value.asString().isEmpty());
            if (!optional) {
                arguments.set(argument.getKey(), isChoices(first) ? arguments(first) : first);
            }
        });
        return arguments;
    }

    /** An object whose fields have the values that are accepted. */
    private static boolean isChoices(JsonNode value) {
        return value.isObject() && !value.isEmpty() && value.valueStream().allMatch(JsonNode::isArray);
    }

    private static List<JsonNode> lines(Path file) throws IOException {
        List<JsonNode> lines = new ArrayList<>();
        for (String line : Files.readAllLines(file, StandardCharsets.UTF_8)) {
            if (!line.isBlank()) {
                lines.add(Json.parse(file + ":" + (lines.size() + 1), line.getBytes(StandardCharsets.UTF_8)));
            }
        }
        if (lines.isEmpty()) {
            throw new FormatException(file, "has no rows");
        }
        return lines;
    }
}
