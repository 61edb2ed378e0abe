package dev.graft.serve.http;

import dev.graft.formats.Fields;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** A field that OpenAI's API has in four forms: a text, an array of texts, token ids, or an array of arrays of token ids. */
sealed interface RequestInput {
    /** Texts to encode. */
    record Texts(List<String> texts) implements RequestInput {}

    /** Token ids of the model's own tokenizer, used unchanged. */
    record Ids(List<int[]> ids) implements RequestInput {}

    /**
     * Reads any of the four forms.
     *
     * @param most the maximum number of texts, or of arrays of token ids
     * @param vocabulary the number of token ids
     */
    static RequestInput read(Fields request, String name, int most, int vocabulary) {
        JsonNode value = request.node(name);
        if (value != null && first(value).isString()) {
            return texts(request, name, most);
        }
        if (value == null || !value.isArray() || value.isEmpty()) {
            throw request.invalid(name, "a text, token ids or an array of either");
        }
        if (!value.get(0).isArray()) {
            return new Ids(List.of(ids(request, name, value, vocabulary)));
        }
        requireFew(request, name, value, most);
        List<int[]> ids = new ArrayList<>();
        for (int i = 0; i < value.size(); i++) {
            ids.add(ids(request, name + "[" + i + "]", value.get(i), vocabulary));
        }
        return new Ids(ids);
    }

    /** Reads a text or several. */
    static Texts texts(Fields request, String name, int most) {
        JsonNode value = request.node(name);
        if (value != null && value.isString()) {
            return new Texts(List.of(value.stringValue()));
        }
        if (value == null || !first(value).isString()) {
            throw request.invalid(name, "a text or an array of texts");
        }
        requireFew(request, name, value, most);
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < value.size(); i++) {
            if (!value.get(i).isString()) {
                throw request.invalid(name + "[" + i + "]", value.get(i), "a text as " + name + "[0] is");
            }
            texts.add(value.get(i).stringValue());
        }
        return new Texts(texts);
    }

    /** Returns the value that distinguishes the forms: the first element of an array, else the value itself. */
    private static JsonNode first(JsonNode value) {
        return value.isArray() && !value.isEmpty() ? value.get(0) : value;
    }

    private static void requireFew(Fields request, String name, JsonNode values, int most) {
        if (values.size() > most) {
            throw request.error(name, "has " + values.size() + " texts, at most " + most + " are allowed");
        }
    }

    private static int[] ids(Fields request, String place, JsonNode values, int vocabulary) {
        if (!values.isArray()) {
            throw request.invalid(place, values, "an array of token ids");
        }
        if (values.isEmpty()) {
            throw request.invalid(place, values, "at least one token id");
        }
        int[] ids = new int[values.size()];
        for (int i = 0; i < ids.length; i++) {
            JsonNode id = values.get(i);
            if (!id.isInt() || id.intValue() < 0 || id.intValue() >= vocabulary) {
                throw request.invalid(
                        place + "[" + i + "]", id, "a token id of the model's tokenizer, below " + vocabulary);
            }
            ids[i] = id.intValue();
        }
        return ids;
    }
}
