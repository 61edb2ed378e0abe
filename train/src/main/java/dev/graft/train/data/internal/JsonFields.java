package dev.graft.train.data.internal;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import tools.jackson.databind.JsonNode;

/** Texts in the fields of records, and values as messages quote them. */
final class JsonFields {
    private JsonFields() {}

    static String string(JsonNode value, String key, String place, boolean mayBeEmpty) {
        if (!value.isString()) {
            throw new InputException(place + ": \"" + key + "\" is " + shortened(value) + ", expected a string"
                    + (value.isNull() ? "; remove the row or fill it" : ""));
        }
        String text = value.stringValue();
        if (!mayBeEmpty && text.isBlank()) {
            throw new InputException(place + ": \"" + key + "\" is empty; remove the row or fill it");
        }
        return text;
    }

    static String shortened(JsonNode value) {
        return value.isMissingNode() ? "missing" : shortened(Json.compact(value));
    }

    static String shortened(String text) {
        return text.length() > 80 ? text.substring(0, 77) + "..." : text;
    }
}
