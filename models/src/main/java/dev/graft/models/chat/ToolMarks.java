package dev.graft.models.chat;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A conversation in which each function has a unique name, both as a tool and in its calls. No message contains these
 * names. So text that a template writes for a function can be distinguished from text that people wrote.
 */
final class ToolMarks {
    private final Map<String, String> names = new LinkedHashMap<>();
    private final List<Message> messages = new ArrayList<>();
    private final RenderOptions options;

    ToolMarks(List<Message> messages, RenderOptions options) {
        List<?> tools = options.tools();
        this.options = options.withTools(
                tools == null ? null : tools.stream().map(this::marked).toList());
        messages.forEach(message -> this.messages.add(marked(message)));
    }

    /** The first function that a template omits; null if it writes all of them. */
    @Nullable
    String leftOut(ChatTemplate template) {
        if (names.isEmpty()) {
            return null;
        }
        String text = template.render(messages, options).text();
        return names.entrySet().stream()
                .filter(mark -> !text.contains(mark.getKey()))
                .map(Map.Entry::getValue)
                .findFirst()
                .orElse(null);
    }

    private Message marked(Message message) {
        Object given = message.fields().get("tool_calls");
        List<?> calls = given instanceof JsonNode node && node.isArray()
                ? List.copyOf(node.values())
                : given instanceof List<?> list ? list : List.of();
        if (calls.isEmpty()) {
            return message;
        }
        Map<String, @Nullable Object> fields = new LinkedHashMap<>(message.fields());
        fields.put("tool_calls", calls.stream().map(this::marked).toList());
        return new Message(fields);
    }

    private Object marked(Object function) {
        if (function instanceof ObjectNode node) {
            ObjectNode copy = node.deepCopy();
            ObjectNode holder = copy.get("function") instanceof ObjectNode inside ? inside : copy;
            if (holder.has("name")) {
                holder.put("name", mark(holder.get("name").asString("")));
            }
            return copy;
        }
        if (function instanceof Map<?, ?> map) {
            Map<Object, @Nullable Object> copy = new LinkedHashMap<>(map);
            copy.computeIfPresent("function", (key, inside) -> marked(inside));
            if (!map.containsKey("function")) {
                copy.computeIfPresent("name", (key, name) -> mark(name.toString()));
            }
            return copy;
        }
        return function;
    }

    private String mark(String name) {
        String mark = "grafted_function_" + names.size() + "_";
        names.put(mark, name);
        return mark;
    }
}
