package dev.graft.serve.http;

import dev.graft.formats.Fields;
import dev.graft.models.chat.Message;
import dev.graft.serve.tools.Tools;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The {@code messages} of a request, as a chat template takes them. */
final class Messages {
    private static final String[] ROLES = {"system", "developer", "user", "assistant", "tool", "function"};
    private static final Set<String> REQUIRED = Set.of("role", "content");
    private static final Set<String> PART = Set.of("type", "text");

    private Messages() {}

    static List<Message> read(Fields request) {
        List<JsonNode> nodes = request.list("messages");
        if (nodes.isEmpty()) {
            throw request.error("messages", "is empty, expected at least one");
        }
        List<Message> messages = new ArrayList<>();
        for (int i = 0; i < nodes.size(); i++) {
            // Answers that are sent back have null for all that they might have had, such as audio.
            JsonNode node = NullFields.without(nodes.get(i), REQUIRED);
            messages.add(message(request.nested("messages[" + i + "]", node), nodes.get(i)));
        }
        return messages;
    }

    /**
     * A message whose content, where it comes in parts of text, is one text, and the arguments of whose calls are objects.
     *
     * @param node as it was sent, with its nulls
     */
    private static Message message(Fields f, JsonNode node) {
        f.string("role");
        String role = f.choice("role", "", ROLES);
        f.stringOrNull("name");
        f.stringOrNull("tool_call_id");
        f.listOrNull("tool_calls");
        for (String reasoning : List.of("reasoning_content", "reasoning", "thinking")) {
            f.stringOrNull(reasoning);
        }
        f.ignore("content");
        JsonNode annotations = node.path("annotations");
        if (annotations.isArray() && annotations.isEmpty()) {
            // As in OpenAI's own answers.
            f.ignore("annotations");
        }
        f.rejectUnread("It is not supported in a message; leave it out");
        ObjectNode plain = f.copy();
        Tools.parseArguments(plain);
        JsonNode content = node.path("content");
        JsonNode calls = node.path("tool_calls");
        if (calls.isArray() && !calls.isEmpty() && !role.equals("assistant")) {
            throw f.error("tool_calls", "are an assistant's, the message's role is " + role);
        }
        boolean absent = content.isNull() || content.isMissingNode();
        if (absent && role.equals("assistant") && !calls.isEmpty()) {
            return Message.of(plain);
        }
        if (!content.isString()) {
            plain.put("content", text(f, content));
        }
        return Message.of(plain);
    }

    private static String text(Fields f, JsonNode content) {
        if (!content.isArray()) {
            throw f.invalid("content", "a text or an array of parts");
        }
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < content.size(); i++) {
            JsonNode part = NullFields.without(content.get(i), PART);
            if (!part.path("type").asString("").equals("text")
                    || !part.path("text").isString()
                    || part.size() != 2) {
                throw f.error(
                        "content[" + i + "]",
                        "is not text alone; only parts {\"type\": \"text\", \"text\": …} are supported");
            }
            text.append(part.path("text").stringValue());
        }
        return text.toString();
    }
}
