package dev.graft.models.chat;

import dev.graft.formats.InputException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * One turn of a conversation. All fields beside the role are kept unchanged, since templates read any of them: tool
 * calls, names, reasoning, content in parts.
 *
 * @param fields the fields that the template sees, in order. Values are strings, numbers, booleans, null, lists, maps
 *     or Jackson nodes. A role is required.
 */
public record Message(Map<String, @Nullable Object> fields) {

    /** @throws InputException when there is no role */
    public Message {
        if (!(fields.get("role") instanceof String)) {
            throw new InputException("a message has no \"role\" that is a text: " + fields.keySet());
        }
        fields = Collections.unmodifiableMap(new LinkedHashMap<String, @Nullable Object>(fields));
    }

    public Message(String role, @Nullable String content) {
        this(fields(role, content));
    }

    private static Map<String, @Nullable Object> fields(String role, @Nullable String content) {
        Map<String, @Nullable Object> fields = new LinkedHashMap<>();
        fields.put("role", role);
        fields.put("content", content);
        return fields;
    }

    public static Message system(String content) {
        return new Message("system", content);
    }

    public static Message user(String content) {
        return new Message("user", content);
    }

    public static Message assistant(String content) {
        return new Message("assistant", content);
    }

    /**
     * Reads {@code {"role": "user", "content": "Hi"}} with all its other fields.
     *
     * @throws InputException when it is not an object with a role
     */
    public static Message of(JsonNode node) {
        if (!node.isObject() || !node.path("role").isString()) {
            throw new InputException("a message is " + node + ", expected an object with a \"role\"");
        }
        Map<String, @Nullable Object> fields = new LinkedHashMap<>();
        node.properties()
                .forEach(field -> fields.put(
                        field.getKey(),
                        field.getValue().isString() ? field.getValue().stringValue() : field.getValue()));
        return new Message(fields);
    }

    public String role() {
        return String.valueOf(fields.get("role"));
    }

    /** The content if it is a text, null if it is absent or in parts. */
    public @Nullable String content() {
        return fields.get("content") instanceof String text ? text : null;
    }
}
