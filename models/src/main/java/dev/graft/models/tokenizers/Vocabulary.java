package dev.graft.models.tokenizers;

import dev.graft.formats.FormatException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Tokens and ids of the model and of the tokens added to it. */
final class Vocabulary {

    /** The maximum id. An id far beyond any vocabulary would need a huge table of tokens. */
    private static final int MAX_ID = 1 << 24;

    private final Map<String, Integer> ids = new HashMap<>();
    private final @Nullable String[] tokens;

    /** @throws FormatException when two tokens have one id, or one token has two */
    Vocabulary(String source, JsonNode model, List<AddedToken> added) {
        int limit = 0;
        if (model.path("vocab").isArray()) {
            for (JsonNode piece : model.path("vocab")) {
                put(source, piece.path(0).asString(), ids.size());
            }
            limit = ids.size();
        } else {
            for (Map.Entry<String, JsonNode> entry : model.path("vocab").properties()) {
                limit = Math.max(limit, put(source, entry.getKey(), id(source, entry.getKey(), entry.getValue())) + 1);
            }
        }
        for (AddedToken token : added) {
            limit = Math.max(limit, put(source, token.content(), token.id()) + 1);
        }
        tokens = new String[limit];
        ids.forEach((token, id) -> {
            if (tokens[id] != null) {
                throw new FormatException(
                        source, "the tokens \"" + tokens[id] + "\" and \"" + token + "\" both have id " + id, null);
            }
            tokens[id] = token;
        });
    }

    private int put(String source, String token, int id) {
        Integer before = ids.put(token, id);
        if (before != null && before != id) {
            throw new FormatException(
                    source, "the token \"" + token + "\" has two ids, " + before + " and " + id, null);
        }
        return id;
    }

    static int id(String source, String token, JsonNode id) {
        if (!id.isInt() || id.intValue() < 0 || id.intValue() > MAX_ID) {
            throw new FormatException(
                    source,
                    "the id of token \"" + token + "\" is " + id + ", expected a whole number from 0 to " + MAX_ID,
                    null);
        }
        return id.intValue();
    }

    @Nullable
    Integer id(String token) {
        return ids.get(token);
    }

    @Nullable
    String token(int id) {
        return id >= 0 && id < tokens.length ? tokens[id] : null;
    }

    int size() {
        return ids.size();
    }

    int limit() {
        return tokens.length;
    }
}
