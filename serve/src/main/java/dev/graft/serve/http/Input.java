package dev.graft.serve.http;

import dev.graft.formats.Fields;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** A field that OpenAI's API has in four forms: a text, an array of texts, token ids, or an array of arrays of token ids. */
sealed interface Input {
    /** To be encoded. */
    record Texts(List<String> texts) implements Input {}

    /** Of the model's own tokenizer, to be read as they are. */
    record Ids(List<int[]> ids) implements Input {}

    /**
     * Reads any of the four forms.
     *
     * @param most how many texts, or arrays of token ids, there may be
     * @param vocabulary the number of token ids
     */
    static Input read(Fields request, String name, int most, int vocabulary) {
        JsonNode value = request.node(name);
        if (value != null && first(value).isString()) {
            return texts(request, name, most);
        }
        if (value == null || !value.isArray() || value.isEmpty()) {
            throw request.wrong(name, "a text, token ids or an array of either");
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
            throw request.wrong(name, "a text or an array of texts");
        }
        requireFew(request, name, value, most);
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < value.size(); i++) {
            if (!value.get(i).isString()) {
                throw request.wrong(name + "[" + i + "]", value.get(i), "a text as " + name + "[0] is");
            }
            texts.add(value.get(i).stringValue());
        }
        return new Texts(texts);
    }

    /** By which the forms are told apart: the first element of an array, else the value itself. */
    private static JsonNode first(JsonNode value) {
        return value.isArray() && !value.isEmpty() ? value.get(0) : value;
    }

    private static void requireFew(Fields request, String name, JsonNode values, int most) {
        if (values.size() > most) {
            throw request.refused(name, "has " + values.size() + " texts, at most " + most + " are allowed");
        }
    }

    private static int[] ids(Fields request, String place, JsonNode values, int vocabulary) {
        if (!values.isArray()) {
            throw request.wrong(place, values, "an array of token ids");
        }
        if (values.isEmpty()) {
            throw request.wrong(place, values, "at least one token id");
        }
        int[] ids = new int[values.size()];
        for (int i = 0; i < ids.length; i++) {
            JsonNode id = values.get(i);
            if (!id.isInt() || id.intValue() < 0 || id.intValue() >= vocabulary) {
                throw request.wrong(
                        place + "[" + i + "]", id, "a token id of the model's tokenizer, below " + vocabulary);
            }
            ids[i] = id.intValue();
        }
        return ids;
    }
}
