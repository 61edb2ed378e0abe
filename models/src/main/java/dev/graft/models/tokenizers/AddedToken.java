package dev.graft.models.tokenizers;

import dev.graft.formats.FormatException;
import io.soabase.recordbuilder.core.RecordBuilder;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A token that is matched in the text before the model splits it.
 *
 * @param id -1 if it has none yet
 */
@RecordBuilder
record AddedToken(
        int id, String content, boolean singleWord, boolean lstrip, boolean rstrip, boolean normalized, boolean special)
        implements AddedTokenBuilder.With {

    /** Returns a token without flags. */
    static AddedToken plain(int id, String content) {
        return AddedTokenBuilder.builder().id(id).content(content).build();
    }

    static AddedToken special(int id, String content) {
        return plain(id, content).withSpecial(true);
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
