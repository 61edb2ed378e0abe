package dev.graft.serve.http;

import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Clients write null for what they don't say: OpenAI's schema allows it for every field that may be left out. */
final class NullFields {
    private NullFields() {}

    /**
     * Returns a copy of an object without its null fields. A value that is no object is returned unchanged.
     *
     * @param required fields that stay, so that the error message says that one is null
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
