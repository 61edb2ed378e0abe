package dev.graft.models.chat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** The functions that a conversation names: those that may be called, and those that were. */
final class ToolNames {
    private ToolNames() {}

    static List<String> of(List<Message> messages, RenderOptions options) {
        List<String> names = new ArrayList<>();
        Stream<?> calls =
                messages.stream().flatMap(message -> elements(message.fields().get("tool_calls")));
        Stream.concat(elements(options.tools()), calls).forEach(tool -> {
            Object function = field(tool, "function");
            Object name = field(function == null ? tool : function, "name");
            if (name != null) {
                names.add(name instanceof JsonNode node ? node.asString("") : name.toString());
            }
        });
        return names;
    }

    private static Stream<?> elements(@Nullable Object list) {
        if (list instanceof JsonNode node) {
            return node.isArray() ? node.values().stream() : Stream.of();
        }
        return list instanceof List<?> objects ? objects.stream() : Stream.of();
    }

    private static @Nullable Object field(@Nullable Object value, String name) {
        return value instanceof JsonNode node ? node.get(name) : value instanceof Map<?, ?> map ? map.get(name) : null;
    }
}
