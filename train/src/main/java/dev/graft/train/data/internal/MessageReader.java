package dev.graft.train.data.internal;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.chat.Message;
import dev.graft.train.data.RowShape;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Converts conversations of data sets to the form that chat templates read, from OpenAI's messages with tool calls and ShareGPT's turns
 * ({@code from}, {@code value}). A field that is null counts as absent, since columnar files write all fields in each message.
 */
final class MessageReader {
    private static final Map<String, String> ROLES = new LinkedHashMap<>();
    private static final Set<String> KEYS = Set.of(
            "role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content", "reasoning", "thinking");

    static {
        for (String role : List.of("system", "user", "assistant", "tool")) {
            ROLES.put(role, role);
        }
        ROLES.put("developer", "system");
        ROLES.put("human", "user");
        ROLES.put("gpt", "assistant");
        ROLES.put("function_call", "assistant");
        ROLES.put("function", "tool");
        ROLES.put("observation", "tool");
        ROLES.put("function_response", "tool");
    }

    private MessageReader() {}

    /**
     * @param key of the list, for messages about it
     * @param place of the row
     */
    static List<Message> messages(JsonNode value, String key, String place) {
        if (!value.isArray() || value.isEmpty()) {
            throw new InputException(place + ": \"" + key + "\" is " + shortened(value) + ", expected a list such as "
                    + RowShape.CHAT.sample());
        }
        List<Message> messages = new ArrayList<>();
        for (JsonNode element : value.values()) {
            messages.add(message(element, place + ": message " + (messages.size() + 1)));
        }
        return messages;
    }

    private static Message message(JsonNode element, String where) {
        if (!(element instanceof ObjectNode given)) {
            throw new InputException(where + " is " + shortened(element) + ", expected an object");
        }
        ObjectNode fields = given.deepCopy();
        boolean empty = given.path("content").isNull() || given.path("value").isNull();
        fields.removeIf(JsonNode::isNull);
        if (!fields.has("role") && fields.has("from")) {
            rename(fields, "from", "role");
            rename(fields, "value", "content");
        }
        for (String key : fields.propertyNames()) {
            if (!KEYS.contains(key)) {
                throw new InputException(where + " has the key \"" + key + "\", which is not read; a message has "
                        + "role and content, or from and value; also name, tool_calls, tool_call_id and"
                        + " reasoning_content: remove the rest");
            }
        }
        String written = JsonFields.string(fields.path("role"), "role", where, false);
        String role = ROLES.get(written);
        if (role == null) {
            throw new InputException(where + " has the role \"" + written + "\", expected one of " + ROLES.keySet());
        }
        fields.put("role", role);
        if (written.equals("function_call")) {
            fields.putArray("tool_calls").add(object(fields.path("content"), "content", where));
            fields.remove("content");
        }
        boolean calls = fields.has("tool_calls") && !fields.path("tool_calls").isEmpty();
        if (fields.has("tool_calls")) {
            fields.set("tool_calls", calls(fields.path("tool_calls"), where));
        }
        if (calls && !fields.has("content")) {
            fields.put("content", "");
        }
        if (empty && !fields.has("content")) {
            throw new InputException(
                    where + ": \"content\" is null, expected a string; fill it, or remove the message or the row");
        }
        boolean mayBeEmpty = calls || !role.equals("assistant");
        fields.put("content", JsonFields.string(text(fields.path("content"), where), "content", where, mayBeEmpty));
        return Message.of(fields);
    }

    private static void rename(ObjectNode fields, String from, String to) {
        JsonNode value = fields.remove(from);
        if (value != null) {
            fields.set(to, value);
        }
    }

    /** Content in parts of text as one text. */
    private static JsonNode text(JsonNode content, String where) {
        if (!content.isArray() || content.isEmpty() || !content.get(0).isObject()) {
            return content;
        }
        StringBuilder text = new StringBuilder();
        for (JsonNode part : content.values()) {
            if (!part.path("text").isString()) {
                throw new InputException(where + ": \"content\" has the part " + shortened(part)
                        + ", expected parts such as {\"type\": \"text\", \"text\": \"Hi\"}");
            }
            text.append(part.path("text").stringValue());
        }
        return JsonNodeFactory.instance.stringNode(text.toString());
    }

    /** Calls in OpenAI's form, with arguments as objects: templates write them as JSON themselves. */
    private static ArrayNode calls(JsonNode value, String where) {
        if (!value.isArray()) {
            throw new InputException(where + ": \"tool_calls\" is " + shortened(value) + ", expected a list");
        }
        ArrayNode calls = JsonNodeFactory.instance.arrayNode();
        for (JsonNode element : value.values()) {
            ObjectNode call = object(element, "tool_calls", where).deepCopy();
            if (!call.has("function")) {
                ObjectNode function = call;
                call = JsonNodeFactory.instance.objectNode().put("type", "function");
                call.set("function", function);
            }
            ObjectNode function = object(call.path("function"), "function", where);
            JsonFields.string(function.path("name"), "name", where + ", tool call " + (calls.size() + 1), false);
            if (function.has("arguments")) {
                function.set("arguments", object(function.path("arguments"), "arguments", where));
            }
            call.set("function", function);
            calls.add(call);
        }
        return calls;
    }

    /**
     * Descriptions of functions: a list of objects, or its JSON as a text.
     *
     * @param value null, missing or empty for none
     */
    static List<JsonNode> tools(@Nullable JsonNode value, String place) {
        if (value == null
                || value.isNull()
                || value.isString() && value.stringValue().isBlank()) {
            return List.of();
        }
        JsonNode list = parsed(value, "tools", place);
        if (!list.isArray()) {
            throw new InputException(place + ": \"tools\" is " + shortened(value) + ", expected a list of functions");
        }
        List<JsonNode> tools = new ArrayList<>();
        for (JsonNode tool : list.values()) {
            tools.add(object(tool, "tools", place));
        }
        return tools;
    }

    private static ObjectNode object(JsonNode value, String key, String where) {
        if (parsed(value, key, where) instanceof ObjectNode object) {
            return object;
        }
        throw new InputException(where + ": \"" + key + "\" is " + shortened(value) + ", expected an object");
    }

    private static JsonNode parsed(JsonNode value, String key, String where) {
        if (!value.isString()) {
            return value;
        }
        try {
            return Json.parse("", value.stringValue().getBytes(StandardCharsets.UTF_8));
        } catch (FormatException e) {
            throw new InputException(
                    where + ": \"" + key + "\" is " + shortened(value) + ", expected JSON" + e.getMessage(), e);
        }
    }

    private static String shortened(JsonNode value) {
        return JsonFields.shortened(value);
    }
}
