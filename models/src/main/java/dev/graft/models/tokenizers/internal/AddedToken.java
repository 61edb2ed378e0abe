package dev.graft.models.tokenizers.internal;

import dev.graft.formats.FormatException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A token that is found in the text before the model sees it.
 *
 * @param id -1 while it has none
 */
record AddedToken(
        int id,
        String content,
        boolean singleWord,
        boolean lstrip,
        boolean rstrip,
        boolean normalized,
        boolean special) {

    static AddedToken special(int id, String content) {
        return new AddedToken(id, content, false, false, false, false, true);
    }

    /** Reads {@code {"content", "single_word", "lstrip", "rstrip", "normalized", "special"}}; absent flags are those of the reference. */
    static AddedToken read(String source, int id, JsonNode node) {
        JsonNode content = node.path("content");
        if (!content.isString() || content.stringValue().isEmpty()) {
            throw new FormatException(source, "an added token has no \"content\": " + node, null);
        }
        boolean special = node.path("special").asBoolean(false);
        return new AddedToken(
                id,
                content.stringValue(),
                node.path("single_word").asBoolean(false),
                node.path("lstrip").asBoolean(false),
                node.path("rstrip").asBoolean(false),
                node.path("normalized").asBoolean(!special),
                special);
    }

    AddedToken withId(int id) {
        return new AddedToken(id, content, singleWord, lstrip, rstrip, normalized, special);
    }

    AddedToken asSpecial() {
        return new AddedToken(id, content, singleWord, lstrip, rstrip, normalized, true);
    }

    ObjectNode write() {
        return JsonNodeFactory.instance
                .objectNode()
                .put("id", id)
                .put("content", content)
                .put("single_word", singleWord)
                .put("lstrip", lstrip)
                .put("rstrip", rstrip)
                .put("normalized", normalized)
                .put("special", special);
    }
}
