package dev.graft.train.data.internal;

import dev.graft.models.chat.Message;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The keys of rows by the part of a row that they hold. */
record ColumnRoles(Map<String, String> keys) {
    ColumnRoles {
        keys = new LinkedHashMap<>(keys);
    }

    boolean has(String part) {
        return keys.containsKey(part);
    }

    String key(String part) {
        return keys.getOrDefault(part, part);
    }

    JsonNode value(ObjectNode row, String part) {
        return row.path(key(part));
    }

    String string(ObjectNode row, String part, String place, boolean mayBeEmpty) {
        return JsonFields.string(value(row, part), key(part), place, mayBeEmpty);
    }

    /** A text that may be missing, null or empty. */
    String optional(ObjectNode row, String part, String place) {
        JsonNode value = value(row, part);
        return value.isMissingNode() || value.isNull() ? "" : string(row, part, place, true);
    }

    List<Message> messages(ObjectNode row, String part, String place) {
        return MessageReader.messages(value(row, part), key(part), place);
    }
}
