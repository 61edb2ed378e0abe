package dev.graft.serve.http;

import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Clients write null for what they don't say: OpenAI's schema allows it for every field that may be left out. */
final class Nulls {
    private Nulls() {}

    /**
     * The same object without its fields that are null, or what it is if it is none.
     *
     * @param required fields that stay, so that the refusal of one says that it is null
     */
    static JsonNode without(JsonNode json, Set<String> required) {
        if (!json.isObject()) {
            return json;
        }
        ObjectNode rest = ((ObjectNode) json).objectNode();
        json.properties().forEach(field -> {
            if (!field.getValue().isNull() || required.contains(field.getKey())) {
                rest.set(field.getKey(), field.getValue());
            }
        });
        return rest;
    }
}
