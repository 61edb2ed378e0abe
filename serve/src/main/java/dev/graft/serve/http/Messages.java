package dev.graft.serve.http;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
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

    private Messages() {}

    static List<Message> read(Fields request) {
        List<JsonNode> nodes = request.list("messages");
        if (nodes.isEmpty()) {
            throw new InputException("the request: messages is empty, expected at least one");
        }
        List<Message> messages = new ArrayList<>();
        for (int i = 0; i < nodes.size(); i++) {
            messages.add(message("the request: messages[" + i + "]", nodes.get(i)));
        }
        return messages;
    }

    /** A message whose content, where it comes in parts of text, is one text, and the arguments of whose calls are objects. */
    private static Message message(String source, JsonNode node) {
        // Answers that are sent back have null for all that they might have had, such as audio.
        Fields f = Fields.of(source, Nulls.without(node, REQUIRED));
        f.string("role");
        String role = f.choice("role", "", ROLES);
        f.stringOrNull("name");
        f.stringOrNull("tool_call_id");
        f.listOrNull("tool_calls");
        for (String reasoning : List.of("reasoning_content", "reasoning", "thinking")) {
            f.stringOrNull(reasoning);
        }
        f.informational("content");
        JsonNode annotations = node.path("annotations");
        if (annotations.isArray() && annotations.isEmpty()) {
            // As in OpenAI's own answers.
            f.informational("annotations");
        }
        f.refuseUnread("It is not supported in a message; leave it out");
        ObjectNode plain = f.copy();
        Tools.openArguments(plain);
        JsonNode content = node.path("content");
        boolean absent = content.isNull() || (content.isMissingNode() && node.has("tool_calls"));
        if (!content.isString() && !(absent && role.equals("assistant"))) {
            plain.put("content", text(content));
        }
        return Message.of(plain);
    }

    private static String text(JsonNode content) {
        if (!content.isArray()) {
            throw new InputException("the request: the content of a message is " + kind(content)
                    + ", expected a text or an array of parts");
        }
        StringBuilder text = new StringBuilder();
        for (JsonNode part : content) {
            if (!part.path("type").asString("").equals("text")
                    || !part.path("text").isString()) {
                throw new InputException("the request: a part of a message is not text; only parts"
                        + " {\"type\": \"text\", \"text\": …} are supported");
            }
            text.append(part.path("text").stringValue());
        }
        return text.toString();
    }

    private static String kind(JsonNode content) {
        if (content.isMissingNode() || content.isNull()) {
            return content.isNull() ? "null" : "missing";
        }
        return content.isNumber() ? "a number" : content.isBoolean() ? "true or false" : "an object";
    }
}
